"""Which tar shards in the WebDataset layout a worker reads, and their members as samples.

Shards are drawn with a generator seeded by (seed, epoch), the same on every rank, then dealt to ranks and
workers, so that in one epoch every sample is read exactly once over all workers. Reading and grouping of tar
members is the `webdataset` library's.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from florence.loading.stream_share import StreamShare

STREAM_PREFIX = 'pipe:'
END_MARK_BYTES = 1024


def expand_shards(shards: str | Sequence[str]) -> list[str]:
    """Paths of all shards.

    Args:
        shards: Paths, or a pattern with ranges in braces, `train-{000000..000099}.tar`; several patterns are
            parted by `::`. URLs and `pipe:` commands are passed on to `webdataset` unseen.

    Raises:
        FileNotFoundError: If a local shard is missing.
        ValueError: If there is no shard, or one is named twice.
    """
    from webdataset.shardlists import expand_urls

    found = [path for item in ([shards] if isinstance(shards, str) else shards) for path in expand_urls(item)]
    if not found:
        raise ValueError('no shard given')
    if len(set(found)) < len(found):
        raise ValueError(f'a shard is named twice: {next(path for path in found if found.count(path) > 1)}')
    missing = [path for path in found if _is_local(path) and not Path(path).is_file()]
    if missing:
        raise FileNotFoundError(f'{len(missing)} of {len(found)} shards are missing, the first is {missing[0]}')
    return found


def _is_local(path: str) -> bool:
    return '://' not in path and not path.startswith(STREAM_PREFIX)


def deal_shards(shards: Sequence[str], share: StreamShare, *, seed: int | None, epoch: int) -> list[str]:
    """Shards of one logical stream in one epoch, in reading order.

    Args:
        shards: All shards, in the same order on every rank.
        share: The logical stream.
        seed: Start of the random order; None = as listed.
        epoch: Passes made before this one.
    """
    order = list(shards)
    if seed is not None:
        random.Random(f'{seed}/{epoch}').shuffle(order)
    return order[share.rank :: share.world_size][share.stream :: share.num_streams]


def read_shard(path: str, on_error: Callable[[Exception], bool]) -> Iterator[dict]:
    """Samples of one shard: dicts of raw bytes by file extension, with `__key__` and `__url__`.

    Args:
        path: The tar file.
        on_error: Told of every failure; returns True to read on after it.
    """
    from webdataset.tariterators import tarfile_samples

    errors = []

    def report(error: Exception) -> bool:
        errors.append(error)
        return on_error(error)

    yield from tarfile_samples(iter([{'url': path}]), handler=report)
    # Python's tarfile takes a file that is cut within a header for a whole one and ends without a word.
    if not errors and _is_local(path) and path.endswith('.tar') and not _has_end_mark(path):
        on_error(ValueError('the file is cut short, it has no end mark'))


def _has_end_mark(path: str) -> bool:
    """Whether a tar file ends with two blocks of zeros, as the format asks."""
    with open(path, 'rb') as file:
        file.seek(max(0, Path(path).stat().st_size - END_MARK_BYTES))
        tail = file.read()
    return len(tail) == END_MARK_BYTES and not any(tail)
