"""What the checkpoints of all strategies have in common: how weights are read, and what every file holds."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import mmengine

from florence.engine.strategies.read_checkpoint import WITHOUT_MODULE, read_checkpoint


class AnyCheckpoint:
    """Mixin of the strategies."""

    def load_checkpoint(
        self,
        filename: str,
        *,
        map_location: Any = 'cpu',
        strict: bool = False,
        revise_keys: Sequence = WITHOUT_MODULE,  # noqa: B006  (mmengine's signature; never changed)
        callback: Callable | None = None,
    ) -> dict:
        """Load weights from a checkpoint of any strategy, or from a folder of sharded weights.

        Raises:
            ValueError: If the file is no checkpoint, with what is wrong.
        """
        checkpoint = read_checkpoint(filename)
        self.logger.info(f'Load checkpoint from {filename}')  # type: ignore[attr-defined]
        if callback is not None:
            callback(checkpoint)
        self.load_model_state_dict(checkpoint.pop('state_dict'), strict=strict, revise_keys=revise_keys)  # type: ignore[attr-defined]
        return checkpoint

    def _checkpoint(self, save_param_scheduler: bool, extra: dict[str, Any]) -> dict[str, Any]:
        """Weights, facts of the run, schedules where asked for, and what the runner adds."""
        checkpoint = {'state_dict': self.model_state_dict(), **extra}  # type: ignore[attr-defined]
        checkpoint['meta'] = {**extra.get('meta', {}), **run_facts(self)}
        if save_param_scheduler and hasattr(self, 'param_schedulers'):
            checkpoint['param_schedulers'] = self.scheduler_state_dict()  # type: ignore[attr-defined]
        return checkpoint


def run_facts(strategy: Any) -> dict[str, Any]:
    """Entries of a checkpoint's `meta` that the strategy knows."""
    return {
        'seed': strategy.seed,
        'time': time.strftime('%Y%m%d_%H%M%S', time.localtime()),
        'mmengine': mmengine.__version__,
        'strategy': type(strategy).__name__,
        'world_size': strategy.world_size,
    }
