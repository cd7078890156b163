"""From a config to a runner: what `tools/train.py` and `tools/test.py` share."""

import argparse
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def default_work_dir(config_path: str) -> str:
    """`work_dirs/NAME` for a config `.../NAME.py`, as in the other OpenMMLab tools."""
    return os.path.join('work_dirs', Path(config_path.replace('::', '/')).stem)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that training and testing share."""
    from mmengine.config import DictAction

    parser.add_argument('--work-dir', help='folder for logs and checkpoints; default work_dirs/CONFIG_NAME')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='overrides, dotted keys')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='how the ranks were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')


def prepare_distributed(cfg: Config, launcher: str) -> None:
    """Set what depends on the launcher and on the hardware.

    Without an accelerator ranks talk through gloo, and the model wrapper must not be given a device.
    """
    cfg.launcher = launcher
    if launcher == 'none':
        return
    os.environ.setdefault('LOCAL_RANK', '0')
    if not torch.accelerator.is_available():
        cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})['backend'] = 'gloo'
        cfg.setdefault('model_wrapper_cfg', dict(type='MMDistributedDataParallel', broadcast_buffers=False))
        cfg.model_wrapper_cfg.setdefault('device_ids', None)


def use_amp(cfg: Config) -> None:
    """Turn the optimizer wrapper into its mixed-precision form.

    Raises:
        ValueError: If the wrapper has no such form, or there is no accelerator.
    """
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp replaces optim_wrapper.type OptimWrapper by AmpOptimWrapper, this config has {wrapper!r}.')
    if not torch.accelerator.is_available():
        raise ValueError('--amp needs an accelerator and none was found: train in full precision, without --amp.')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('dtype', 'bfloat16')


def build_runner(cfg: Config) -> Runner:
    """The runner a config asks for: mmengine's `Runner`, or the class named by `runner_type`."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
