"""Whether a checkpoint is one of the model that shall take its weights.

mmengine warns where weights do not fit, and goes on: a training from foreign weights is then one from random weights, and an
evaluation gives the figures of a model that knows nothing.
"""

from collections.abc import Mapping

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn

from florence.engine.strategies.deepspeed_model import DeepSpeedModel
from florence.engine.strategies.sharded_weights import gathered

WRAPPER = 'module.'


def require_fitting_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str, *, complete: bool) -> None:
    """Check names and shapes before they are loaded; every rank must call it.

    Args:
        model: The model, wrapped or not.
        weights: State dict of the checkpoint.
        source: Name of the checkpoint, for the message.
        complete: Whether every parameter of the model must be there, as for an evaluation; False: at least one, as for a training
            that starts from another model's weights. Buffers may be missing.

    Raises:
        ValueError: If they do not fit.
    """
    inner = innermost(model)
    # Split over ranks, weights are empty, and what the model makes of those of a checkpoint may depend on them.
    with gathered(inner):
        _require_fitting_weights(inner, weights, source, complete=complete)


def _require_fitting_weights(inner: nn.Module, weights: Mapping[str, Tensor], source: str, *, complete: bool) -> None:
    buffers = {name for name, _ in inner.named_buffers()}
    wanted = {
        name: tuple(value.shape)
        for name, value in inner.state_dict(keep_vars=True).items()
        # A tokenizer keeps its vocabulary as extra state, whose length is its own.
        if isinstance(value, Tensor) and name not in buffers and not name.endswith('_extra_state')
    }
    given = {name.removeprefix(WRAPPER): value for name, value in weights.items() if isinstance(value, Tensor)}
    unfit = [name for name, shape in wanted.items() if _shape(given, name) != shape]
    if unfit:
        given |= adapted_weights(inner, given)
        unfit = [name for name, shape in wanted.items() if _shape(given, name) != shape]
    if not wanted or not unfit or (not complete and len(unfit) < len(wanted)):
        return
    shape = _shape(given, unfit[0])
    found = 'nothing' if shape is None else shape
    raise ValueError(
        f'{source} does not fit this model: {len(unfit)} of its {len(wanted)} weights are missing or of another shape, the first '
        f'is {unfit[0]!r}, expected {wanted[unfit[0]]}, found {found}. Give a checkpoint of this config.'
    )


def _shape(weights: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None


def adapted_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the model itself makes of weights before it loads them, such as a time axis for those of an image tower."""
    weights = dict(weights)
    for name, module in model.named_modules():
        for hook in module._load_state_dict_pre_hooks.values():
            hook(weights, f'{name}.' if name else '', {}, True, [], [], [])
    return weights


def innermost(model: nn.Module) -> nn.Module:
    """The model within the wrappers of strategies and of test-time augmentation."""
    while isinstance(model, BaseTTAModel | DeepSpeedModel) or is_model_wrapper(model):
        model = model.module
    return model
