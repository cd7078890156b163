"""Runs of a model of two linear layers on made-up points, for tests of the training engine: a run takes a fraction of a second.

The samples are augmented at random and the model drops paths, so that two runs give the same losses only where samples, order,
augmentation and the model's own draws agree.
"""

import itertools
import os
import signal

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset, IterableDataset

import florence  # noqa: F401  (mends mmengine before it is imported)
from florence.engine.runner import StrategyRunner
from florence.layers import DropPath
from florence.registry import DATASETS, HOOKS, METRICS, MODELS
from florence.structures import ImageTextSample

IN, HIDDEN, CLASSES = 8, 16, 3
POINTS = 24
_numbers = itertools.count()


def point(index: int) -> dict:
    """One augmented sample."""
    sample = ImageTextSample(metainfo={'sample_id': f'point {index}'})
    sample.gt_label = index % CLASSES
    return {'inputs': torch.full((IN,), float(index % CLASSES)) + torch.rand(IN), 'data_samples': sample}


@DATASETS.register_module(force=True)
class NoisyPoints(Dataset):
    """Points with an index."""

    def __init__(self, length: int = POINTS) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return point(index)


@DATASETS.register_module(force=True)
class StreamedPoints(IterableDataset):
    """A stream as others write one: without a length, and without a position that could be resumed."""

    def __iter__(self):
        return map(point, itertools.count())


@MODELS.register_module(force=True)
class ToyNet(BaseModel):
    """Two layers, dropped paths between them, a temperature without dimensions; `spoiled_at` makes that step's loss NaN."""

    def __init__(self, drop_path: float = 0.5, spoiled_at: int = 0) -> None:
        super().__init__()
        self.hidden = nn.Linear(IN, HIDDEN)
        self.drop_path = DropPath(drop_path)
        self.head = nn.Linear(HIDDEN, CLASSES)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.spoiled_at, self.steps = spoiled_at, 0

    def forward(self, inputs, data_samples=None, mode='loss'):
        logits = self.head(self.drop_path(torch.relu(self.hidden(torch.stack(inputs))))) * self.scale
        labels = torch.tensor([sample.gt_label for sample in data_samples])
        if mode == 'predict':
            return [{'hit': float(hit)} for hit in logits.argmax(-1) == labels]
        self.steps += 1
        loss = nn.functional.cross_entropy(logits.float(), labels)
        return {'loss_toy': loss * float('nan') if self.steps == self.spoiled_at else loss}


@METRICS.register_module(force=True)
class HitRate(BaseMetric):
    """Share of hits; draws random numbers, as a metric that samples does."""

    def process(self, data_batch, data_samples):
        torch.rand(3)
        self.results.extend(sample['hit'] for sample in data_samples)

    def compute_metrics(self, results):
        return {'hits': sum(results) / len(results)}


@HOOKS.register_module(force=True)
class ToyLosses(Hook):
    """Keeps the loss of each iteration; `stop_at` sends `stop_signal` to this process in that iteration."""

    priority = 'VERY_HIGH'

    def __init__(self, stop_at: int = 0, stop_signal: int = signal.SIGTERM) -> None:
        self.losses: dict[int, float] = {}
        self.batch_idx: dict[int, int] = {}
        self.stop_at, self.stop_signal = stop_at, stop_signal

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter + 1] = float(outputs['loss'].detach())
        self.batch_idx[runner.iter + 1] = batch_idx
        if runner.iter + 1 == self.stop_at:
            os.kill(os.getpid(), self.stop_signal)


BY_ITERATIONS = {'type': 'IterTrainLoop', 'max_iters': 12}
BY_EPOCHS = {'type': 'EpochTrainLoop', 'max_epochs': 3, 'val_interval': 10}
VALIDATED = {
    'val_dataloader': {
        'batch_size': 4,
        'dataset': {'type': 'NoisyPoints', 'length': 6},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
    },
    'val_cfg': {},
    'val_evaluator': {'type': 'HitRate'},
}


def toy_config(
    work_dir, *, stop_at: int = 0, stop_signal: int = signal.SIGTERM, options: dict | None = None, **entries
) -> Config:
    """A config; each run gets a message hub of its own.

    Args:
        stop_at: Iteration in which a signal comes.
        stop_signal: Which.
        options: Overrides, dotted key -> value.
        **entries: Exchanged as a whole.
    """
    cfg = Config(
        {
            'default_scope': 'florence',
            'model': {'type': 'ToyNet'},
            'train_dataloader': {
                'batch_size': 4,
                'num_workers': 0,
                'dataset': {'type': 'NoisyPoints'},
                'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            },
            'train_cfg': BY_ITERATIONS,
            'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'AdamW', 'lr': 0.01}},
            'default_hooks': {
                'logger': {'type': 'LoggerHook', 'interval': 1},
                'checkpoint': {'type': 'florence.CheckpointHook', 'by_epoch': False, 'interval': 4},
                'throughput': None,
            },
            'custom_hooks': [{'type': 'ToyLosses', 'stop_at': stop_at, 'stop_signal': int(stop_signal)}],
            'log_processor': {'by_epoch': False, 'window_size': 1},
            'randomness': {'seed': 3},
            'env_cfg': {'mp_cfg': {'mp_start_method': 'fork'}},
            'log_level': 'WARNING',
            'launcher': 'none',
            'work_dir': str(work_dir),
            'experiment_name': f'toy_{next(_numbers)}',
            **entries,
        }
    )
    cfg.merge_from_dict(options or {})
    return cfg


def hook_of(runner: StrategyRunner, kind: type) -> Hook:
    """The hook of a type."""
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def toy_train(cfg: Config) -> tuple[StrategyRunner, dict[int, float]]:
    """Run a training in this process; returns the runner and the loss of each iteration."""
    runner = StrategyRunner.from_cfg(cfg)
    runner.train()
    return runner, hook_of(runner, ToyLosses).losses


def toy_train_until_stopped(cfg: Config) -> tuple[StrategyRunner, dict[int, float]]:
    """As `toy_train`, for a run that a signal ends."""
    runner = StrategyRunner.from_cfg(cfg)
    try:
        runner.train()
    except SystemExit as end:
        assert end.code == 128 + hook_of(runner, ToyLosses).stop_signal
    else:
        raise AssertionError('the run was not stopped')
    return runner, hook_of(runner, ToyLosses).losses
