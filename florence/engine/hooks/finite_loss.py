"""Stops a run whose loss is no number any more, and writes down which samples it met."""

import math
import os
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from torch import Tensor

from florence.atomic_files import write_json
from florence.registry import HOOKS

NAMES = ('sample_id', 'img_path', 'img_id', 'filename')


def sample_names(data_batch: Any) -> list[str]:
    """What the samples of a batch are called: the first of `NAMES` that they have, else their place in the batch."""
    samples = data_batch.get('data_samples', ()) if isinstance(data_batch, dict) else ()
    found = []
    for place, sample in enumerate(samples):
        name = next((sample.get(key) for key in NAMES if hasattr(sample, 'get') and sample.get(key) is not None), place)
        found.append(str(name))
    return found


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raises as soon as a loss is NaN or infinite, before anything is saved.

    The samples of the batch are listed in `nonfinite_loss_iter_N_rank_R.json` in the work dir.
    """

    priority = 'VERY_HIGH'

    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None) -> None:
        """Look at every entry of the log that is a loss.

        Raises:
            ValueError: If one is not finite.
        """
        losses = {name: _number(value) for name, value in (outputs or {}).items() if 'loss' in name}
        bad = {name: value for name, value in losses.items() if not math.isfinite(value)}
        if not bad:
            return
        iteration = runner.iter + 1
        file = os.path.join(runner.work_dir, f'nonfinite_loss_iter_{iteration}_rank_{get_rank()}.json')
        names = sample_names(data_batch)
        write_json(file, {'iter': iteration, 'losses': {name: str(value) for name, value in losses.items()}, 'samples': names})
        last = runner.message_hub.get_info('last_ckpt') if 'last_ckpt' in runner.message_hub.runtime_info else None
        raise ValueError(
            f'{", ".join(f"{name} is {value}" for name, value in bad.items())} at iteration {iteration}; the {len(names)} '
            f'samples of the batch are listed in {file}. Look at them, lower the learning rate or clip gradients, then '
            + (f'--resume: {last} is from before.' if last else 'start again: no checkpoint was saved yet.')
        )
