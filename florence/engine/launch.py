"""From a config to a runner: what `tools/train.py` and `tools/test.py` share."""

import argparse
import atexit
import os
import sys
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import get_world_size
from mmengine.registry import RUNNERS
from mmengine.runner import FlexibleRunner, Runner

from florence.engine.cfg_options import add_cfg_options
from florence.engine.checkpoint_files import checkpoints_in
from florence.engine.runner import StrategyRunner

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def default_work_dir(config_path: str) -> str:
    """`work_dirs/NAME` for a config `.../NAME.py`, as in the other OpenMMLab tools."""
    return os.path.join('work_dirs', Path(config_path.replace('::', '/')).stem)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that training and testing share."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints; default work_dirs/CONFIG_NAME')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='how the ranks were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')


def prepare_distributed(cfg: Config, launcher: str) -> None:
    """Note the launcher; without an accelerator ranks talk through gloo."""
    cfg.launcher = launcher
    if launcher == 'none':
        return
    os.environ.setdefault('LOCAL_RANK', '0')
    if not torch.accelerator.is_available():
        cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})['backend'] = 'gloo'


def end_rank() -> None:
    """End this process, one of several ranks whose work is done, without taking Python down.

    Threads of the process group that still hold tensors would ask for an interpreter that is gone: about one gloo rank in ten is
    aborted then, and its launcher takes a finished run for a failed one.
    """
    if get_world_size() == 1:
        return
    atexit._run_exitfuncs()  # leaves the group, closes logs
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def use_amp(cfg: Config, dtype: str | None = None) -> None:
    """Turn the optimizer wrapper into its mixed-precision form, which every strategy and device understands.

    Args:
        cfg: Config of a training; changed in place.
        dtype: 'bfloat16' or 'float16'; None: what the config says, else bfloat16.

    Raises:
        ValueError: If the wrapper has no such form.
    """
    wrapper = str(cfg.optim_wrapper.get('type', 'OptimWrapper')).rpartition('.')[2]
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp replaces optim_wrapper.type OptimWrapper by AmpOptimWrapper, this config has {wrapper!r}.')
    cfg.optim_wrapper.type = 'florence.AmpOptimWrapper'
    if dtype is not None or 'dtype' not in cfg.optim_wrapper:
        cfg.optim_wrapper.dtype = dtype or 'bfloat16'


def use_test_time_augmentation(cfg: Config) -> None:
    """Wrap the model in the config's `tta_model` and show it the views of its `tta_pipeline`.

    Args:
        cfg: Config of an evaluation; changed in place.

    Raises:
        ValueError: If the config has no views or several test sets.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise ValueError(f'--tta needs {" and ".join(missing)} in the config: see configs/dyhead for an example.')
    if 'dataset' not in cfg.test_dataloader:
        raise ValueError('--tta needs one test_dataloader, this config has several: leave one.')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:  # wrappers such as RepeatDataset
        dataset = dataset.dataset
    dataset.pipeline = cfg.tta_pipeline


def use_checkpoint(cfg: Config, resume: str | None, load_from: str | None) -> None:
    """Note what a training starts from.

    Args:
        cfg: Config of a training with its `work_dir`; changed in place.
        resume: Checkpoint of the run to go on with; 'auto': the latest one of the work dir, and where there is none yet a start
            from `load_from`; None: a new run.
        load_from: Weights to start from; None: what the config says.

    Raises:
        ValueError: If both name a checkpoint.
    """
    if load_from:
        cfg.load_from = load_from
    if resume == 'auto':
        # mmengine's runners know either the one or the other.
        begun = bool(checkpoints_in(cfg.work_dir)) if 'runner_type' in cfg else None
        cfg.resume = 'auto' if begun is None else begun
        if begun:
            cfg.load_from = None
    elif resume:
        if load_from:
            raise ValueError(f'--resume {resume} and --load-from {load_from} both name a checkpoint: leave one of them out.')
        cfg.resume, cfg.load_from = True, resume


def build_runner(cfg: Config) -> FlexibleRunner | Runner:
    """The runner of a config: ours, or the class that `runner_type` names."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else StrategyRunner.from_cfg(cfg)
