"""Mends for onedl-mmengine 0.10.12 (and mmengine 0.10.7, whose code is the same here).

* `mmengine.dist.utils` selects a CUDA device in every launcher, so that a gloo job cannot start without CUDA; and nobody leaves
  the process group, so that one gloo rank in thirteen is aborted by its own threads when Python ends ("terminate called without
  an active exception"), after all its work was done. Our tools end their ranks by themselves, see `florence.engine.launch`.
* `mmengine.runner.loops` sleeps two seconds whenever an iteration-based loop starts its data anew "to prevent
  possible deadlock"; the epoch-based loop of the same file starts its data anew without it.
* `mmengine.hooks.Hook.end_of_epoch`, which the logger asks in every iteration, fails where the data have no length, as a stream.
* `mmengine._strategy.deepspeed`, which every import of `mmengine.runner` runs, imports deepspeed: a second of start-up for
  those who do not use it. Its strategy does not work with current deepspeed; `florence.DeepSpeedStrategy` takes its place.
* `mmengine.optim.optimizer.builder`, which every import of `mmengine.model` runs, imports transformers for one optimizer:
  five seconds, with peft, for those who do not use it. Adafactor is imported where it is built.
* `mmengine.logging.history_buffer` copies the whole history of every logged figure in every iteration: milliseconds an iteration
  after some hundred thousand of them. Here the arrays grow by half of their length at a time.
* `mmengine.model.weight_init` only logs that nothing of a checkpoint fits the module whose `init_cfg` names it, parameter by
  parameter, and the training starts from random weights.
"""

import atexit
import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from florence.compat.finder import Mend
from florence.compat.module_view import ModuleView


def _leave_process_group() -> None:
    import torch.distributed

    # After an error the other ranks may be gone, and leaving together would wait for them.
    if torch.distributed.is_initialized() and getattr(sys, 'last_value', None) is None:
        torch.distributed.destroy_process_group()


@contextmanager
def _ranks_without_cuda_start_and_end(module: Any) -> Iterator[None]:
    yield
    torch, init_dist = module.torch, module.init_dist

    def set_device(device: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_device(device)

    @functools.wraps(init_dist)
    def init_dist_and_leave_at_exit(*args: Any, **kwargs: Any) -> None:
        init_dist(*args, **kwargs)
        atexit.register(_leave_process_group)

    module.torch = ModuleView(torch, cuda=ModuleView(torch.cuda, set_device=set_device))
    module.init_dist = init_dist_and_leave_at_exit


@contextmanager
def _no_sleep(module: Any) -> Iterator[None]:
    yield
    module.time = ModuleView(module.time, sleep=lambda seconds: None)


@contextmanager
def _streams_have_no_last_batch(module: Any) -> Iterator[None]:
    yield
    end_of_epoch = module.Hook.end_of_epoch

    def mended(self: Any, dataloader: Any, batch_idx: int) -> bool:
        try:
            return end_of_epoch(self, dataloader, batch_idx)
        except TypeError:
            return False

    module.Hook.end_of_epoch = mended


@contextmanager
def _imported_as(name: str, stand_in: Any) -> Iterator[None]:
    """Within the block `import NAME` gives the stand-in; None: it fails."""
    loaded = {name: sys.modules[name]} if name in sys.modules else {}
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(loaded)


@contextmanager
def _without_deepspeed(module: Any) -> Iterator[None]:
    with _imported_as('deepspeed', None):  # which this module is prepared for
        yield


class _Adafactor:
    """Stands for the optimizer of transformers until one is made."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        from transformers import Adafactor

        return Adafactor(*args, **kwargs)


@contextmanager
def _transformers_when_needed(module: Any) -> Iterator[None]:
    is_installed = importlib.util.find_spec('transformers') is not None
    with _imported_as('transformers', SimpleNamespace(Adafactor=_Adafactor) if is_installed else None):
        yield


def _appended(history: Any, value: float, max_length: int) -> Any:
    """A history with one more entry, at most `max_length`: a view of a larger array, which is copied only when it is full."""
    import numpy as np

    # The base of an array out of a checkpoint may be the bytes that it was read from.
    store, length = history.base if isinstance(history.base, np.ndarray) else None, len(history)
    first = 0 if store is None else (history.ctypes.data - store.ctypes.data) // history.itemsize
    if store is None or store.ndim != 1 or store.dtype != np.float64 or first + length == len(store):
        store, first = np.empty(max(64, length + length // 2 + 1)), 0
        store[:length] = history
    end = first + length + 1
    store[end - 1] = value
    return store[max(first, end - max_length) : end]


@contextmanager
def _histories_grow_by_steps(module: Any) -> Iterator[None]:
    yield

    def update(self: Any, log_val: float, count: int = 1) -> None:
        if not isinstance(log_val, int | float) or not isinstance(count, int | float):
            raise TypeError(f'log_val must be int or float but got {type(log_val)}, count must be int but got {type(count)}')
        self._log_history = _appended(self._log_history, log_val, self.max_length)
        self._count_history = _appended(self._count_history, count, self.max_length)

    module.HistoryBuffer.update = update


@contextmanager
def _pretrained_weights_fit(module: Any) -> Iterator[None]:
    yield
    load = module.PretrainedInit.__call__

    def load_what_fits(self: Any, target: Any) -> None:
        if '://' not in self.checkpoint and not os.path.exists(self.checkpoint):
            raise FileNotFoundError(
                f'init_cfg of {type(target).__name__}: no checkpoint {self.checkpoint}. If it is that of another recipe, train '
                'that one first (see the comment of the config), or name yours: --cfg-options KEY.init_cfg.checkpoint=FILE.'
            )
        fitting = 0

        def count(_: Any, weights: dict[str, Any], prefix: str, *__: Any) -> None:
            nonlocal fitting
            for name, own in target.state_dict(keep_vars=True).items():
                fitting += getattr(weights.get(prefix + name), 'shape', None) == getattr(own, 'shape', ())

        hook = target.register_load_state_dict_pre_hook(count)  # the last one: after those that adapt the weights
        try:
            load(self, target)
        finally:
            hook.remove()
        if not fitting:
            raise ValueError(
                f'init_cfg: none of the weights of {self.checkpoint} fits {type(target).__name__}: give a checkpoint of such a '
                f'module, or as prefix where it lies in a larger model, e.g. "backbone." (prefix is {self.prefix!r}).'
            )

    module.PretrainedInit.__call__ = load_what_fits


MENDS = (
    Mend('mmengine.model.weight_init', around=_pretrained_weights_fit),
    Mend('mmengine.logging.history_buffer', around=_histories_grow_by_steps),
    Mend('mmengine.dist.utils', around=_ranks_without_cuda_start_and_end),
    Mend('mmengine.runner.loops', around=_no_sleep),
    Mend('mmengine.hooks.hook', around=_streams_have_no_last_batch),
    Mend('mmengine.optim.optimizer.builder', around=_transformers_when_needed),
    Mend('mmengine._strategy.deepspeed', around=_without_deepspeed),
)
