"""Full fp32 weights out of, and into, a model whose parameters and fp32 copies deepspeed has split over the ranks."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.runner.checkpoint import _load_checkpoint_to_model, weights_to_cpu
from torch import Tensor, nn


def is_partitioned(parameter: Tensor) -> bool:
    """Whether ZeRO-3 has split this parameter."""
    return hasattr(parameter, 'ds_id')


def own_part(whole: Tensor, parameter: nn.Parameter) -> Tensor:
    """What this rank holds of a whole tensor: all of it, or its flat shard, of which the last one is padded with zeros.

    Args:
        whole: Full value of the parameter.
        parameter: Tells how the value is split.
    """
    if not is_partitioned(parameter):
        return whole
    size = parameter.ds_tensor.numel()
    rank = torch.distributed.get_rank(parameter.ds_process_group)
    part = whole.new_zeros(size)
    piece = whole.flatten()[rank * size : (rank + 1) * size]
    part[: len(piece)] = piece
    return part


@contextmanager
def gathered(model: nn.Module, modified: bool = False) -> Iterator[None]:
    """Within the block the parameters of a ZeRO-3 model are whole on every rank; a model of another stage is left as it is.

    Args:
        model: The bare model.
        modified: Changes made on rank 0 are split over the ranks afterwards.
    """
    parameters = [parameter for parameter in model.parameters() if is_partitioned(parameter)]
    if not parameters:
        yield
        return
    import deepspeed

    # Shards are what counts: of whole parameters, as an evaluation leaves them, the shards may have changed since.
    parameters[0].partition(param_list=parameters)
    with deepspeed.zero.GatheredParameters(parameters, modifier_rank=0 if modified else None):
        yield
        if modified:
            # Changes are broadcast as bytes, and torch has no byte view of a tensor without a dimension.
            for parameter in parameters:
                if parameter.data.dim() == 0:
                    parameter.data = parameter.data.view(1)


def full_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers on the CPU, floating ones in fp32, the same on every rank; every rank must call it.

    Args:
        model: The bare model of an engine.
    """
    masters = _masters(model)
    with gathered(model):
        # Copied one by one: `state_dict` of a ZeRO-3 model holds views that are emptied when the block ends.
        state = {
            name: value.clone() if isinstance(value, Tensor) else value
            for name, value in weights_to_cpu(model.state_dict()).items()
        }
    state.update({name: value for name, value in masters.items() if name in state})
    return state


def load_full_state_dict(model: nn.Module, state_dict: dict, *, strict: bool, revise_keys: list) -> None:
    """Load full weights; the optimizer's fp32 copies follow, so that the next step starts from them.

    Args:
        model: The bare model of an engine.
        state_dict: Full weights, as `full_state_dict` or any other strategy gives.
        strict, revise_keys: As in mmengine.
    """
    with gathered(model, modified=True):
        _load_checkpoint_to_model(model, state_dict, strict=strict, revise_keys=revise_keys)
        loaded = {name: value.detach().float().clone() for name, value in model.named_parameters()}
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_local_fp32_param

    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            given = state_dict.get(name)
            # Half-precision weights have rounded what was loaded; the fp32 copy need not.
            exact = given.float() if given is not None and given.shape == loaded[name].shape else loaded[name]
            exact = exact.to(loaded[name].device)
            if is_partitioned(parameter):
                # Not safe_set_full_fp32_param: it fails where the ranks do not divide the size of a parameter.
                safe_set_local_fp32_param(parameter, own_part(exact, parameter))
            else:
                safe_set_full_fp32_param(parameter, exact)


def _masters(model: nn.Module) -> dict[str, Tensor]:
    """The optimizer's fp32 copies of half-precision parameters; empty for a model in fp32."""
    if all(parameter.dtype == torch.float32 for parameter in model.parameters()):
        return {}
    from deepspeed.utils import safe_get_full_fp32_param

    values = {name: safe_get_full_fp32_param(parameter) for name, parameter in model.named_parameters()}
    return {name: value.detach().cpu().clone() for name, value in values.items() if value is not None}
