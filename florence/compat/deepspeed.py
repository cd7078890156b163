"""Mends for deepspeed 0.19.8.

* Without an accelerator deepspeed warns at import and then acts for the CPU; told so beforehand it keeps quiet. A choice made by
  the user through `DS_ACCELERATOR` stands.
* On CPU it compiles a shared-memory communication module at the first start, for a minute, and needs a compiler for it; without
  it the ranks talk through gloo as those of the other strategies do.
* Parameters without a dimension (a temperature, mmdet's `Scale`) stop an engine, and ZeRO-3, at the start: they are broadcast as
  bytes, and torch has no byte view of such a tensor. They are given one dimension for that moment.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from florence.compat.finder import Mend


@contextmanager
def _cpu_where_nothing_else(module: Any) -> Iterator[None]:
    import torch

    if not torch.accelerator.is_available():
        os.environ.setdefault('DS_ACCELERATOR', 'cpu')
    yield
    if os.environ.get('DS_ACCELERATOR') == 'cpu':
        module.ops.__compatible_ops__['deepspeed_shm_comm'] = False


@contextmanager
def _scalar_parameters_in_engine(module: Any) -> Iterator[None]:
    yield
    broadcast_model = module.DeepSpeedEngine._broadcast_model

    def mended(self: Any) -> None:
        scalars = [parameter for parameter in self.module.parameters() if parameter.data.dim() == 0]
        for parameter in scalars:
            parameter.data = parameter.data.view(1)
        broadcast_model(self)
        for parameter in scalars:
            parameter.data = parameter.data.view(())

    module.DeepSpeedEngine._broadcast_model = mended


@contextmanager
def _scalar_parameters_in_stage_3(module: Any) -> Iterator[None]:
    yield
    init_parameter = module.Init._zero_init_param

    def mended(self: Any, parameter: Any) -> None:
        if parameter.data.dim():
            return init_parameter(self, parameter)
        parameter.data = parameter.data.view(1)
        init_parameter(self, parameter)
        parameter.ds_shape = parameter.ds_shape[:0]

    module.Init._zero_init_param = mended


MENDS = (
    Mend('deepspeed', around=_cpu_where_nothing_else),
    Mend('deepspeed.runtime.engine', around=_scalar_parameters_in_engine),
    Mend('deepspeed.runtime.zero.partition_parameters', around=_scalar_parameters_in_stage_3),
)
