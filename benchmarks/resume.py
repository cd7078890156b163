"""Time until the first batch of a run that is resumed at iteration 100,000: ours against mmengine's own `skip_iter`.

    python benchmarks/resume.py --json benchmarks/reports/resume.json

A sample is its index, so that what is measured is the way to it; a set holds 10 million. Cases: mmengine's
`InfiniteSampler`, whose indices it walks through, beside our `ShuffledSampler`; and `DefaultSampler` on both sides, which cannot
skip: mmengine walks through batches of indices (0 workers) or loads and drops every batch (workers: its pace is measured on a
fiftieth of the iterations). `ratio` is mmengine's time over ours: above 1, ours is faster. As information: a stream of many small
tar shards resumed at draw 1,000,000, beside reading it from the start to there, and the cost of seeding a sample.
"""

import argparse
import io
import logging
import platform
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mmengine
import torch
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from reporting import publish
from torch.utils.data import DataLoader, Dataset

import florence  # noqa: F401  (first use mends mmengine)
from florence.datasets import WebDatasetPairs
from florence.loading import DataPosition, make_resumable
from florence.loading.number_hash import hash_numbers
from florence.loading.sample_seed import seed_generators
from florence.loading.stream_share import StreamShare

NUM_SAMPLES = 10_000_000
SHARD_SAMPLES = 1000


class Numbers(Dataset):
    """Samples that cost next to nothing, so that what is measured is the way to them."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return {'inputs': index}


def loader(sampler: str, num_workers: int, batch: int) -> DataLoader:
    cfg = dict(dataset=Numbers(NUM_SAMPLES), sampler=dict(type=sampler), batch_size=batch, num_workers=num_workers)
    return Runner.build_dataloader(cfg | dict(drop_last=True), seed=0)


def ours_seconds(sampler: str, num_workers: int, batch: int, iterations: int) -> float:
    """Seconds from `load_state_dict` to the first batch."""
    resumable = make_resumable(loader(sampler, num_workers, batch), seed=0)
    epoch, batches = divmod(iterations, len(resumable)) if sampler == 'DefaultSampler' else (0, iterations)
    position = DataPosition(resumable)
    state = {**position.state_dict(), 'epoch': epoch, 'batches': batches}
    start = time.perf_counter()
    position.load_state_dict(state)
    next(iter(resumable))
    return time.perf_counter() - start


def peer_seconds(sampler: str, num_workers: int, batch: int, iterations: int) -> float:
    """The same by mmengine's iteration-based loop."""
    batches = _InfiniteDataloaderIterator(loader(sampler, num_workers, batch))
    start = time.perf_counter()
    batches.skip_iter(iterations)
    next(batches)
    return time.perf_counter() - start


def extended_peer_seconds(sampler: str, num_workers: int, batch: int, iterations: int) -> float:
    """`peer_seconds` where all iterations would take too long: its start, and the pace of a fiftieth of them."""
    batches, part = _InfiniteDataloaderIterator(loader(sampler, num_workers, batch)), max(1, iterations // 50)
    start = time.perf_counter()
    batches.skip_iter(1)
    started = time.perf_counter()
    batches.skip_iter(part)
    return started - start + (time.perf_counter() - started) / part * iterations


def compare(ours: Callable[[], float], peer: Callable[[], float], repeats: int) -> dict[str, float]:
    times = [(ours(), peer()) for _ in range(repeats)]
    ours_s, peer_s = (statistics.median(column) for column in zip(*times))
    return {'ratio': round(peer_s / ours_s, 1), 'ours_s': round(ours_s, 4), 'peer_s': round(peer_s, 4)}


def indexed_cases(iterations: int, batch: int, repeats: int) -> dict[str, dict]:
    cases = {}
    for name, ours in (('InfiniteSampler', 'florence.ShuffledSampler'), ('DefaultSampler', 'DefaultSampler')):
        for workers in (0, 2):
            peer = extended_peer_seconds if workers and name == 'DefaultSampler' else peer_seconds
            cases[f'{name}, {workers} workers'] = compare(
                partial(ours_seconds, ours, workers, batch, iterations), partial(peer, name, workers, batch, iterations), repeats
            )
    return cases


def write_shards(folder: Path, count: int) -> str:
    """Shards of a thousand samples of a few bytes; the pipeline does not decode them."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as tar:
        for number in range(SHARD_SAMPLES):
            for suffix in ('jpg', 'txt'):
                info = tarfile.TarInfo(f'{number:04d}.{suffix}')
                info.size = 16
                tar.addfile(info, io.BytesIO(b'sixteen bytes ok'))
    for shard in range(count):
        (folder / f'{shard:04d}.tar').write_bytes(content.getvalue())
    return str(folder / f'{{0000..{count - 1:04d}}}.tar')


def stream_case(draws: int, shuffle_size: int) -> dict[str, float]:
    """One stream at a draw late in its first pass; reading up to there is measured on a hundredth and scaled."""
    with tempfile.TemporaryDirectory() as folder:
        shards = write_shards(Path(folder), draws // SHARD_SAMPLES + 2 + shuffle_size // SHARD_SAMPLES)
        stream, share = WebDatasetPairs(shards, shuffle_size=shuffle_size), StreamShare(0, 1, 0, 1)
        part, samples, start = draws // 100, stream.read(share, stream.new_position()), time.perf_counter()
        for _ in range(part):
            next(samples)
        reading_s = (time.perf_counter() - start) * draws / part
        num_ended = (draws + shuffle_size + 1) // SHARD_SAMPLES
        state = {**stream.new_position(), 'draws': draws, 'shard_sizes': [SHARD_SAMPLES] * num_ended}
        start = time.perf_counter()
        next(stream.read(share, state))
        resume_s = time.perf_counter() - start
    times = {'resume_s': round(resume_s, 3), 'reading_from_start_s': round(reading_s, 1)}
    return {'draws': draws, 'shuffle_size': shuffle_size, **times}


def seeding_microseconds(blocks: int = 100, count: int = 200) -> float:
    """Processor time for one sample, the least of some blocks: what other work on the machine disturbs least."""
    times = []
    for _ in range(blocks):
        start = time.process_time()
        for position in range(count):
            seed_generators(hash_numbers(0, position))
        times.append((time.process_time() - start) / count)
    return round(min(times) * 1e6, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iterations', type=int, default=100_000)
    parser.add_argument('--batch', type=int, default=256)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--draws', type=int, default=1_000_000, help='of the stream')
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    cases = indexed_cases(args.iterations, args.batch, args.repeats)
    report = {
        'benchmark': 'resume',
        'ratio': cases['InfiniteSampler, 0 workers']['ratio'],
        'cases': cases,
        'stream': stream_case(args.draws, shuffle_size=1000),
        'seeding_us_per_sample': seeding_microseconds(),
        'iterations': args.iterations,
        'batch': args.batch,
        'repeats': args.repeats,
        'versions': {'torch': torch.__version__, 'mmengine': mmengine.__version__, 'python': platform.python_version()},
        'hardware': platform.processor() or platform.machine(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
