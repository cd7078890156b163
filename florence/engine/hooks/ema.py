"""Exponential moving average of the weights, in fp32, under every strategy.

Differs from mmengine's EMAHook, which copies the wrapped model: a half-precision copy loses the small updates of a slow average,
and under ZeRO-3 a copied model has no weights. Here each rank averages what it holds, its shards under ZeRO-3, in fp32.
"""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from florence.engine.fitting_weights import adapted_weights
from florence.engine.strategies.sharded_weights import is_partitioned, own_part
from florence.registry import HOOKS


@HOOKS.register_module()
class EMAHook(Hook):
    """Keeps the average; evaluates with it; saves it as the checkpoint's weights.

    A checkpoint holds the average under `state_dict`, which is what one wants to load, and the trained weights under
    `ema_state_dict`, as mmengine's does; a resumed run exchanges them again.

    Args:
        momentum: Share of the new weights in each update, in (0, 1).
        begin: Iterations before averaging begins; until then the average follows the weights.
        interval: Iterations between updates.

    Raises:
        ValueError: If the momentum is out of range.
    """

    priority = 'NORMAL'

    def __init__(self, momentum: float = 0.0002, begin: int = 0, interval: int = 1) -> None:
        if not 0 < momentum < 1:
            raise ValueError(f'EMAHook: momentum is the share of the new weights, in (0, 1), got {momentum}.')
        self.momentum, self.begin, self.interval = momentum, begin, interval
        self._average: list[Tensor] = []
        self._restart_after_load = False

    def before_run(self, runner) -> None:
        """Start from the weights as they are; runs before a checkpoint is loaded."""
        self._model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._average = [_held(parameter).detach().float().clone() for parameter in self._averaged()]

    def _named(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, parameter) for name, parameter in self._model.named_parameters() if parameter.requires_grad)

    def _averaged(self) -> Iterator[nn.Parameter]:
        return (parameter for _, parameter in self._named())

    @torch.no_grad()
    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None) -> None:
        """Move the average towards the weights."""
        done = runner.iter + 1
        share = self.momentum if done > self.begin else 1.0
        if share < 1.0 and done % self.interval:
            return
        held = [_held(parameter).detach().float() for parameter in self._averaged()]
        torch._foreach_lerp_(self._average, held, share)

    def before_val_epoch(self, runner) -> None:
        """Evaluate with the average."""
        self._swap()

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Go back to the trained weights."""
        self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for index, parameter in enumerate(self._averaged()):
            held = _held(parameter)
            trained = held.detach().float().clone()
            _replace(parameter, self._average[index])
            self._average[index] = trained

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save both; under ZeRO-3 every rank must take part."""
        self._swap()
        # mmengine's classic runner has no strategy: its model is whole.
        holder = getattr(runner, 'strategy', None)
        state = self._model.state_dict() if holder is None else holder.model_state_dict()
        # On CPU these are the live weights, which are about to change back.
        average = {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
        self._swap()
        checkpoint['ema_state_dict'] = checkpoint['state_dict']
        checkpoint['state_dict'] = average

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the average from a checkpoint; the run itself goes on from the trained weights."""
        resuming = getattr(runner, 'is_resuming', getattr(runner, '_resume', False))  # the classic runner has the second
        if not resuming or 'ema_state_dict' not in checkpoint:
            self._restart_after_load = True
            return
        average = adapted_weights(self._model, checkpoint['state_dict'])
        checkpoint['state_dict'] = checkpoint['ema_state_dict']
        for index, (name, parameter) in enumerate(self._named()):
            self._average[index] = own_part(average[name].float(), parameter).to(self._average[index].device)

    def before_train(self, runner) -> None:
        """Where weights were loaded to start from, the average starts from them too."""
        if self._restart_after_load:
            self.before_run(runner)
            self._restart_after_load = False


def _held(parameter: nn.Parameter) -> Tensor:
    """What this rank holds of a parameter: all of it, or its shard."""
    return parameter.ds_tensor if is_partitioned(parameter) else parameter.data


def _replace(parameter: nn.Parameter, value: Tensor) -> None:
    """Overwrite what this rank holds; small parameters that ZeRO-3 keeps whole on every rank are put together again."""
    _held(parameter).copy_(value)
    if is_partitioned(parameter) and getattr(parameter, 'ds_persist', False) and parameter.data.numel() == parameter.ds_numel:
        size = parameter.ds_tensor.numel()
        world = torch.distributed.get_world_size(parameter.ds_process_group)
        parts = parameter.ds_tensor.new_empty(size * world)
        torch.distributed.all_gather_into_tensor(
            parts, parameter.ds_tensor.detach().contiguous(), group=parameter.ds_process_group
        )
        parameter.data.copy_(parts[: parameter.ds_numel].view(parameter.data.shape))
