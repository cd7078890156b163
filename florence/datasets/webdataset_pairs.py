"""Image-text pairs streamed from WebDataset tar shards, for sets too large for an index in memory."""

import json
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from mmengine.dataset import Compose
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from torch.utils.data import IterableDataset, get_worker_info

from florence.datasets.bad_samples import BadSample, BadSampleGuard, TooManyBadSamples
from florence.datasets.sample_texts import require_texts, settle_single_caption, texts_of, without_short_texts
from florence.datasets.shard_stream import deal_shards, expand_shards, read_shard, shuffle_buffer
from florence.registry import DATASETS

IMAGE_EXTENSIONS = ('jpg', 'jpeg', 'png', 'webp')
MAX_WORKERS = 1024


@DATASETS.register_module()
class WebDatasetPairs(IterableDataset):
    """Training pairs: members `KEY.jpg` (or png, webp) with `KEY.txt` or `KEY.json`.

    Use it with an iteration-based loop and `sampler=None` in the data loader: ranks need not hold equally
    many samples. A bad sample is skipped, counted and named in the log. Each pass has its own order, decided
    by `seed`. Evaluation needs each sample once on every rank's share, so it has no streaming form: read such
    sets with an index.

    Args:
        shards: Paths or a brace pattern, see `expand_shards`.
        pipeline: Transforms, or their configs.
        text_from: `'txt'`: the text is the `.txt` member; `'json'`: it is the field `json_key` of the `.json`
            member (a str, or a list of several captions).
        json_key: That field.
        shuffle_size: Samples in the shuffle buffer of each worker; 0 = the order of the shards.
        seed: Decides the order; None = as listed, without any shuffling.
        num_samples: Samples in the whole set; only then does the set have a length, which epoch-based loops
            need.
        drop_short_texts: Leave out texts of at most this many words; None = keep all.
        max_bad_share: Largest share of samples that may be bad, in `[0, 1)`.
        min_samples_before_stop: Samples read before that share is judged; a shorter stream is judged at its
            end.

    Raises:
        FileNotFoundError: If a shard is missing.
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        shards: str | Sequence[str],
        *,
        pipeline: Sequence[dict | Callable] = (),
        text_from: str = 'txt',
        json_key: str = 'text',
        shuffle_size: int = 1000,
        seed: int | None = 0,
        num_samples: int | None = None,
        drop_short_texts: int | None = None,
        max_bad_share: float = 0.01,
        min_samples_before_stop: int = 100,
    ) -> None:
        if text_from not in ('txt', 'json'):
            raise ValueError(f'text_from must be "txt" or "json", not {text_from!r}')
        self.shards = expand_shards(shards)
        self.pipeline = Compose(list(pipeline))
        self.text_from = text_from
        self.json_key = json_key
        self.shuffle_size = shuffle_size
        self.seed = seed
        self.num_samples = num_samples
        self.drop_short_texts = drop_short_texts
        self.guard = BadSampleGuard(max_bad_share=max_bad_share, min_samples_before_stop=min_samples_before_stop)
        self.metainfo: dict = {'dataset_type': type(self).__name__}
        # Workers may be started anew for each pass; from shared memory each knows how many it has made.
        self._epochs = torch.zeros(MAX_WORKERS, dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        """Samples on this rank, about; shards need not be equally long.

        Raises:
            TypeError: If `num_samples` was not given.
        """
        if self.num_samples is None:
            raise TypeError('this stream has no length: use an iteration-based loop, or give num_samples')
        return max(1, self.num_samples // get_dist_info()[1])

    def set_epoch(self, epoch: int) -> None:
        """Begin with this pass, for a run that is resumed.

        Args:
            epoch: Passes that count as made.
        """
        self._epochs.fill_(epoch)

    def __iter__(self) -> Iterator[dict]:
        """One pass over this worker's share.

        Raises:
            TooManyBadSamples: If the share of bad samples is above the limit.
            ValueError: If there are fewer shards than ranks.
        """
        info = get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info else (0, 1)
        rank, world_size = get_dist_info()
        if len(self.shards) < world_size:
            raise ValueError(f'{len(self.shards)} shards cannot feed {world_size} ranks: cut the set into more shards')
        if num_workers > MAX_WORKERS:
            raise ValueError(f'at most {MAX_WORKERS} loader workers are supported, not {num_workers}')
        epoch = int(self._epochs[worker])
        self._epochs[worker] += 1
        shards = deal_shards(
            self.shards, seed=self.seed, epoch=epoch, rank=rank, world_size=world_size, worker=worker,
            num_workers=num_workers,
        )  # fmt: skip
        raw = self._read(shards)
        if self.seed is not None:
            rng = random.Random(f'{self.seed}/{epoch}/{rank}/{worker}')
            raw = shuffle_buffer(raw, self.shuffle_size, rng)
        yield from self._usable(raw)

    def _read(self, shards: Sequence[str]) -> Iterator[dict]:
        for path in shards:
            yield from read_shard(path, partial(self._on_error, path))

    def _on_error(self, path: str, error: Exception) -> bool:
        # webdataset catches what this callback raises and calls it again with that.
        if isinstance(error, TooManyBadSamples):
            raise error
        reason = error.args[0] if error.args else repr(error)
        self.guard.count_bad(BadSample(f'shard {path} is broken, samples after the break are lost: {reason}'))
        return True

    def _usable(self, raw: Iterator[dict]) -> Iterator[dict]:
        num_short = 0
        for members in raw:
            try:
                info = self._parse(members)
                require_texts(info)
                kept = self._keep_long(info)
                if kept is None:
                    num_short += 1
                    continue
                sample = self.pipeline(settle_single_caption(kept, test_mode=False))
            except BadSample as error:
                self.guard.count_bad(error)
                continue
            self.guard.count_good()
            yield sample
        if num_short:
            print_log(
                f'{self.name}: left out {num_short} samples whose texts have at most {self.drop_short_texts} words',
                logger='current',
                level=logging.INFO,
            )
        if self.guard.num_reads:
            self.guard.check(length=self.guard.num_reads)

    def _keep_long(self, info: dict) -> dict | None:
        return info if self.drop_short_texts is None else without_short_texts(info, self.drop_short_texts)

    @property
    def name(self) -> str:
        """Name of the set in messages."""
        return f'{type(self).__name__} {self.shards[0]} (1 of {len(self.shards)} shards)'

    def _parse(self, members: dict) -> dict:
        """Encoded image and texts of one sample.

        Raises:
            BadSample: If the image or the text member is missing or broken.
        """
        sample_id = f'{members["__url__"]}/{members["__key__"]}'
        extension = next((ext for ext in IMAGE_EXTENSIONS if ext in members), None)
        if extension is None:
            raise BadSample(f'sample {sample_id} has no image, its members are {_extensions(members)}')
        return {
            'sample_id': sample_id,
            'img_bytes': members[extension],
            'captions': self._texts(members, sample_id),
        }

    def _texts(self, members: dict, sample_id: str) -> tuple[str, ...]:
        if self.text_from not in members:
            raise BadSample(f'sample {sample_id} has no .{self.text_from} member, its members are {_extensions(members)}')
        try:
            content = members[self.text_from].decode('utf-8')
            texts = content.strip() if self.text_from == 'txt' else json.loads(content)[self.json_key]
        except (ValueError, KeyError, TypeError) as error:
            raise BadSample(f'sample {sample_id} has no readable text in .{self.text_from}: {error!r}') from error
        return tuple(texts) if isinstance(texts, list) else (texts,)

    def captions(self) -> Iterator[str]:
        """Every usable text of all shards in listed order, without decoding an image."""
        for members in self._read(self.shards):
            try:
                info = self._parse(members)
                require_texts(info)
            except BadSample as error:
                self.guard.count_bad(error)
                continue
            self.guard.count_good()
            yield from texts_of(self._keep_long(info) or {})


def _extensions(members: dict) -> str:
    return ', '.join(name for name in members if not name.startswith('__'))
