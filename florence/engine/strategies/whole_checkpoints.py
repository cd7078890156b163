"""Checkpoints of the strategies whose ranks all hold the whole model: one file, written atomically."""

from collections.abc import Callable

from mmengine.model import is_model_wrapper
from mmengine.runner.checkpoint import weights_to_cpu

from florence.engine.checkpoint_files import save_checkpoint_file
from florence.engine.main_process import on_main_process
from florence.engine.strategies.read_checkpoint import read_checkpoint, require_states


class WholeCheckpoints:
    """Mixin of the single-process and data-parallel strategies."""

    def model_state_dict(self) -> dict:
        """Weights on the CPU, under the names that they have without any wrapper."""
        model = self.model  # type: ignore[attr-defined]
        return weights_to_cpu((model.module if is_model_wrapper(model) else model).state_dict())

    def resume(self, filename: str, **kwargs) -> dict:
        """Take up a run: model, optimizer and schedules.

        Raises:
            ValueError: If the checkpoint holds no optimizer state of a strategy like this one.
        """
        try:
            return super().resume(filename, **kwargs)  # type: ignore[misc]
        except KeyError:
            require_states(read_checkpoint(filename), ['optimizer'], filename)
            raise

    def save_checkpoint(
        self,
        filename: str,
        *,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        extra_ckpt: dict | None = None,
        callback: Callable | None = None,
    ) -> None:
        """Write a checkpoint, atomically; called on every rank, written by the first.

        Raises:
            OSError: If it cannot be written, on every rank.
            ValueError: If a weight is no number, on every rank.
        """
        on_main_process(lambda: self._write(filename, save_optimizer, save_param_scheduler, extra_ckpt or {}, callback))

    def _write(
        self, filename: str, save_optimizer: bool, save_param_scheduler: bool, extra_ckpt: dict, callback: Callable | None
    ) -> None:
        checkpoint = self._checkpoint(save_param_scheduler, extra_ckpt)  # type: ignore[attr-defined]
        if save_optimizer and hasattr(self, 'optim_wrapper'):
            checkpoint['optimizer'] = self.optim_state_dict()  # type: ignore[attr-defined]
        if callback is not None:
            callback(checkpoint)
        save_checkpoint_file(checkpoint, filename)
