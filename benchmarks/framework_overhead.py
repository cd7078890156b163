"""Time that the training framework adds to an iteration: our runner and mmengine's beside a bare loop.

    python benchmarks/framework_overhead.py --json benchmarks/reports/framework_overhead.json

A model whose step takes about a millisecond, AdamW, one process, batches prepared in advance:

    bare          forward, backward, step, zero_grad over a list of batches
    bare_loader   the same over a torch DataLoader, so that its share is known
    ours          `StrategyRunner` with all its default hooks, a log line every 50 iterations
    ours_untimed  `ours` without `ThroughputHook`
    mmengine      mmengine's `Runner` with all its default hooks, a log line every 50 iterations
    *_late        the same as after 100,000 iterations: mmengine keeps every logged value of a run

What counts is the time from one forward pass to the next, the mean over 50 iterations, so that each value holds one log line.
`overhead_*` are the differences to `bare`. Contestants run in turn. `cpu_us` are medians of the CPU time of the training thread,
which other work on the machine disturbs less than the clock's `wall_us`; `min_*` minima. One thread.
"""

import argparse
import contextlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import mmengine
import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, FUNCTIONS, HOOKS, MODELS
from mmengine.runner import Runner
from reporting import hardware, publish
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import florence  # first: it mends mmengine
from florence.engine.runner import StrategyRunner

BATCH, WIDTH, BLOCK, NUM_BATCHES = 32, 256, 50, 8
LATE = 100_000


@MODELS.register_module()
class Toy(BaseModel):
    """Two layers; notes when each forward pass begins, on the clock and in CPU time of this thread."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.began: list[tuple[float, float]] = []

    def forward(self, inputs: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        self.began.append((time.perf_counter(), time.thread_time()))
        return {'loss': self.layers(inputs).square().mean()}


@DATASETS.register_module()
class PreparedBatches(Dataset):
    """Whole batches as samples, ready in memory."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.batches = [{'inputs': torch.randn(BATCH, WIDTH)} for _ in range(NUM_BATCHES)]

    def __len__(self) -> int:
        return NUM_BATCHES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.batches[index]


@FUNCTIONS.register_module()
def only_one(samples: list[dict]) -> dict:
    """Collate function of samples that are batches."""
    return samples[0]


@HOOKS.register_module()
class LongPast(Hook):
    """Makes the history of logged values as long as after many iterations."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        if runner.iter == 2:  # all values were logged once
            for name, buffer in runner.message_hub.log_scalars.items():
                values, counts = buffer.data
                times = self.iterations // len(values)
                runner.message_hub.log_scalars[name] = HistoryBuffer(np.tile(values, times), np.tile(counts, times))


def endless(batches: Iterable[dict]) -> Iterable[dict]:
    """Pass after pass."""
    while True:
        yield from batches


def train_bare(iterations: int, with_loader: bool) -> Toy:
    """The loop that one would write by hand."""
    model, dataset = Toy(), PreparedBatches()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = endless(DataLoader(dataset, batch_size=1, collate_fn=only_one) if with_loader else dataset.batches)
    for _, batch in zip(range(iterations), batches, strict=False):
        loss = model(**batch)['loss']
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def train_runner(kind: type, iterations: int, past: int = 0, **default_hooks) -> Toy:
    """A run of the framework; what it prints is thrown away, what it writes goes to a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
        cfg = Config(
            dict(
                default_scope='mmengine',
                model=dict(type='Toy'),
                work_dir=folder,
                experiment_name=f'run_{time.monotonic_ns()}',
                train_dataloader=dict(
                    dataset=dict(type='PreparedBatches'),
                    sampler=dict(type='InfiniteSampler', shuffle=False),
                    collate_fn=dict(type='only_one'),
                    batch_size=1,
                ),
                train_cfg=dict(type='IterBasedTrainLoop', max_iters=iterations),
                optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
                default_hooks=dict(
                    logger=dict(type='LoggerHook', interval=BLOCK),
                    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10**9, save_last=False),
                    **default_hooks,
                ),
                custom_hooks=[dict(type='LongPast', iterations=past)] if past else [],
                log_processor=dict(by_epoch=False, window_size=BLOCK),
            )
        )
        with contextlib.redirect_stderr(nowhere):
            runner = kind.from_cfg(cfg)
            runner.train()
    return runner.model


CONTESTANTS = {
    'bare': lambda n: train_bare(n, with_loader=False),
    'bare_loader': lambda n: train_bare(n, with_loader=True),
    'ours': lambda n: train_runner(StrategyRunner, n),
    'ours_untimed': lambda n: train_runner(StrategyRunner, n, throughput=None),
    'mmengine': lambda n: train_runner(Runner, n),
    'ours_late': lambda n: train_runner(StrategyRunner, n, past=LATE),
    'mmengine_late': lambda n: train_runner(Runner, n, past=LATE),
}


def block_means(model: Toy) -> list[tuple[float, float]]:
    """Wall and CPU seconds per iteration, each the mean of a block; the first block is a warm-up."""
    ends = model.began[BLOCK::BLOCK]
    return [
        ((b[0] - a[0]) / BLOCK, (b[1] - a[1]) / BLOCK) for a, b in zip(ends, ends[1:], strict=False)
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iterations', type=int, default=251, help='iterations of one turn')
    parser.add_argument('--repeats', type=int, default=5, help='turns')
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(1)
    blocks: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(args.repeats):
        for name, train in CONTESTANTS.items():
            blocks[name] += block_means(train(args.iterations))
    cases = {}
    for name, times in blocks.items():
        wall, cpu = zip(*times, strict=True)
        figures = {'wall_us': statistics.median(wall), 'min_wall_us': min(wall)}
        figures |= {'cpu_us': statistics.median(cpu), 'min_cpu_us': min(cpu)}
        cases[name] = {key: round(1e6 * value, 1) for key, value in figures.items()}
        for key in ('wall', 'cpu', 'min_wall', 'min_cpu'):
            cases[name][f'overhead_{key}_us'] = round(cases[name][f'{key}_us'] - cases['bare'][f'{key}_us'], 1)
    ours, peer = (cases[name]['overhead_cpu_us'] for name in ('ours', 'mmengine'))
    report = {
        'benchmark': 'framework_overhead',
        'ratio': round(ours / peer, 3),
        'ours_us': ours,
        'peer_us': peer,
        'cases': cases,
        'iterations': args.iterations,
        'repeats': args.repeats,
        'versions': {
            'florence': florence.__version__,
            'torch': torch.__version__,
            'mmengine': mmengine.__version__,
            'python': platform.python_version(),
        },
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
