"""Runs of the tiny two-tower model for the tests of the training engine: one call, one run, its losses."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch.utils._python_dispatch import TorchDispatchMode

import florence  # noqa: F401  (mends mmengine before it is imported)
from florence.engine.config_files import load_config
from florence.engine.launch import prepare_distributed
from florence.engine.runner import StrategyRunner
from florence.registry import HOOKS

CONFIG = Path(__file__).parent / 'configs' / 'tiny_two_tower.py'
GLOBAL_BATCH = 32

PROBED = {
    'aten.native_layer_norm': 'layer_norm',
    'aten.logsumexp': 'loss',
    'aten.log_softmax': 'loss',
    'aten.addmm': 'matrix_product',
    'aten.mm': 'matrix_product',
    'aten.convolution': 'convolution',
}


class _DtypeProbe(TorchDispatchMode):
    """Notes the type of the first tensor that each probed operation gets."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[str]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = PROBED.get(str(func.overloadpacket))
        if name is not None:
            dtype = next(value.dtype for value in args if isinstance(value, torch.Tensor))
            self.seen.setdefault(name, set()).add(str(dtype).removeprefix('torch.'))
        return func(*args, **(kwargs or {}))


@HOOKS.register_module(force=True)
class Recorder(Hook):
    """Keeps the losses, and the types of what the forward and backward pass of the second iteration compute."""

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.losses: dict[int, float] = {}
        self.scales: list[float] = []
        self.probe = _DtypeProbe()

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 1:
            self.probe.__enter__()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 1:
            self.probe.__exit__(None, None, None)
        self.losses[runner.iter + 1] = float(outputs['loss'])
        self.scales.append(float(outputs['logit_scale']))


def tiny_config(work_dir, options: dict | None = None, *, launcher: str = 'none', ranks: int = 1) -> Config:
    """The tiny config with the same batch over all ranks."""
    cfg = load_config(str(CONFIG), {'train_dataloader.batch_size': GLOBAL_BATCH // ranks, **(options or {})})
    prepare_distributed(cfg, launcher)
    cfg.work_dir = str(work_dir)
    cfg.custom_hooks.append(dict(type='florence.Recorder'))
    cfg.log_level = 'WARNING'
    return cfg


def strategy_options(name: str) -> dict:
    """Overrides that choose 'ddp' or 'zero1' to 'zero3'."""
    return {} if name == 'ddp' else {'strategy': dict(type='DeepSpeedStrategy', stage=int(name[-1]))}


def train(cfg: Config) -> tuple[StrategyRunner, Recorder]:
    """Run a training in this process."""
    runner = StrategyRunner.from_cfg(cfg)
    runner.train()
    return runner, next(hook for hook in runner.hooks if isinstance(hook, Recorder))
