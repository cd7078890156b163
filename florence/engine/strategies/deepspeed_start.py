"""What deepspeed needs before an engine can be made: its settings, and a process group even for one process."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import init_dist


def engine_config(stage: int, offload: str, extra: dict | str | None) -> dict[str, Any]:
    """Settings of an engine.

    Args:
        stage, offload: As `DeepSpeedStrategy` takes them.
        extra: Further settings, or the path of a JSON file with some; they win.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if isinstance(extra, str):
        if not Path(extra).is_file():
            raise FileNotFoundError(f'DeepSpeedStrategy: no config file {extra!r}.')
        extra = json.loads(Path(extra).read_text())
    zero: dict[str, Any] = {'stage': stage}
    if offload != 'none':
        zero['offload_optimizer'] = {'device': 'cpu'}
    if offload == 'all':
        zero['offload_param'] = {'device': 'cpu'}
    config = {
        'steps_per_print': 10**13,  # the runner logs
        'zero_allow_untested_optimizer': True,
        'zero_force_ds_cpu_optimizer': False,  # deepspeed's own CPU optimizer needs a compiler; torch's fused one does not
        **(dict(extra) if extra else {}),
    }
    config['zero_optimization'] = {**zero, **config.get('zero_optimization', {})}
    return config


def start_group_of_one() -> None:
    """A process group for a run without launcher: deepspeed needs one even for a single process."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    for name, value in {'RANK': 0, 'LOCAL_RANK': 0, 'WORLD_SIZE': 1, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}.items():
        os.environ[name] = str(value)
    init_dist('pytorch', 'nccl' if torch.cuda.is_available() else 'gloo')
