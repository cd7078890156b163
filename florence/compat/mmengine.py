"""Mends for onedl-mmengine 0.10.12 (and mmengine 0.10.7, whose code is the same here).

* `mmengine.dist.utils` selects a CUDA device in every launcher, so that a gloo job cannot start without CUDA.
* `mmengine.runner.loops` sleeps two seconds whenever an iteration-based loop starts its data anew "to prevent
  possible deadlock"; the epoch-based loop of the same file starts its data anew without it.
* `mmengine.hooks.Hook.end_of_epoch`, which the logger asks in every iteration, fails where the data have no length, as a stream.
* `mmengine._strategy.deepspeed`, which every import of `mmengine.runner` runs, imports deepspeed: a second of start-up for
  those who do not use it. Its strategy does not work with current deepspeed; `florence.DeepSpeedStrategy` takes its place.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from florence.compat.finder import Mend
from florence.compat.module_view import ModuleView


@contextmanager
def _cuda_device_only_with_cuda(module: Any) -> Iterator[None]:
    yield
    torch = module.torch

    def set_device(device: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_device(device)

    module.torch = ModuleView(torch, cuda=ModuleView(torch.cuda, set_device=set_device))


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
def _without_deepspeed(module: Any) -> Iterator[None]:
    loaded = {name: sys.modules[name] for name in ['deepspeed'] if name in sys.modules}
    sys.modules['deepspeed'] = None  # type: ignore[assignment]  # its import fails, which this module is prepared for
    try:
        yield
    finally:
        del sys.modules['deepspeed']
        sys.modules.update(loaded)


MENDS = (
    Mend('mmengine.dist.utils', around=_cuda_device_only_with_cuda),
    Mend('mmengine.runner.loops', around=_no_sleep),
    Mend('mmengine.hooks.hook', around=_streams_have_no_last_batch),
    Mend('mmengine._strategy.deepspeed', around=_without_deepspeed),
)
