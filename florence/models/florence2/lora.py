"""Low-rank adapters (LoRA, arXiv 2106.09685) in Florence-2, those of the `peft` library.

Everything but the adapters is frozen. Names in checkpoints are those of the model without adapters, and the adapters' own beside
them: weights from before the fine-tuning load as they are. A layer that is frozen anyway, such as those of DaViT's first stages
under `frozen_stages`, gets no adapter.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from florence.models.hidden_level import hide_level

LANGUAGE_TARGETS = ('q_proj', 'k_proj', 'v_proj', 'out_proj', 'fc1', 'fc2')
VISION_TARGETS = ('qkv', 'proj', 'fc1', 'fc2')
MARKS = ('.lora_A.', '.lora_B.')


def add_lora(
    model: nn.Module,
    *,
    rank: int = 8,
    alpha: float = 16.0,
    drop_rate: float = 0.05,
    vision: bool = False,
    targets: Sequence[str] = LANGUAGE_TARGETS,
    vision_targets: Sequence[str] = VISION_TARGETS,
    rank_stabilized: bool = False,
) -> None:
    """Freeze a Florence-2 and put adapters beside its linear layers, in place; they change nothing before they are trained.

    Args:
        model: With `language_model` and `vision_tower`.
        rank: Of the update of each weight, at least 1.
        alpha: Updates are scaled by `alpha / rank`.
        drop_rate: Dropout of the adapters' inputs.
        vision: Whether layers of the vision tower get adapters, too.
        targets: Last names of the layers of the language model.
        vision_targets: Those of the vision tower.
        rank_stabilized: Scale by `alpha / rank ** 0.5` (arXiv 2312.03732).

    Raises:
        ImportError: If peft is not installed.
        ValueError: If a number is out of its range, or a name belongs to no linear layer that could learn.
    """
    if rank < 1 or alpha <= 0 or not 0 <= drop_rate < 1:
        raise ValueError(
            f'lora needs a rank of at least 1, a positive alpha and a drop_rate in [0, 1), got rank={rank}, alpha={alpha}, '
            f'drop_rate={drop_rate}.'
        )
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError('lora needs peft: pip install peft') from error
    names = _linear_layers(model, 'language_model', targets)
    if vision:
        names += _linear_layers(model, 'vision_tower', vision_targets)
    settings = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=drop_rate, target_modules=names, use_rslora=rank_stabilized, bias='none'
    )
    inject_adapter_in_model(settings, model)
    adapted = _adapted(model)
    assert sorted(adapted) == sorted(names)
    for layer in adapted.values():
        hide_level(layer, 'base_layer')


def merge_lora(model: nn.Module) -> None:
    """Add the adapters to the weights that they belong to and take them out, in place.

    Raises:
        ValueError: If there are none.
    """
    adapted = _adapted(model)
    if not adapted:
        raise ValueError('this model has no adapters to merge: give the config of the training, whose model has lora=dict(...).')
    for name, layer in adapted.items():
        layer.merge(safe_merge=True)
        parent, _, own = name.rpartition('.')
        setattr(model.get_submodule(parent), own, layer.get_base_layer())


def require_same_adapters(model: nn.Module, weights: dict[str, Tensor], prefix: str = '') -> None:
    """Check that adapters of a checkpoint are those of a model; one without any is weights to start from.

    Args:
        model: With adapters or without.
        weights: State dict.
        prefix: Where the model lies in it.

    Raises:
        ValueError: If they are others.
    """
    given = {name.removeprefix(prefix): tuple(value.shape) for name, value in weights.items() if is_adapter(name)}
    own = {
        name: tuple(getattr(value, 'ds_shape', value.shape))  # ZeRO-3 keeps a part of it
        for name, value in model.named_parameters()
        if is_adapter(name)
    }
    if not given or given == own:
        return
    if not own:
        raise ValueError(
            'the checkpoint has LoRA adapters, this model has none: use the config of its training, or merge them with '
            'tools/model_converters/merge_lora.py.'
        )
    other = next(name for name in sorted(given.keys() | own.keys()) if given.get(name) != own.get(name))
    raise ValueError(
        f'the LoRA adapters of the checkpoint are not those of this model: {other} is {given.get(other, "missing")} there and '
        f'{own.get(other, "missing")} here; give the lora of the config of its training.'
    )


def require_adapters(weights: Mapping[str, Tensor], source: str) -> None:
    """Check that there is something to merge.

    Raises:
        ValueError: If no weight is an adapter's.
    """
    if not any(map(is_adapter, weights)):
        raise ValueError(f'{source} has no LoRA adapters to merge: it can be used as it is.')


def is_adapter(name: str) -> bool:
    """Whether a name of a state dict is that of an adapter's weight."""
    return any(mark in name for mark in MARKS)


def _linear_layers(model: nn.Module, part: str, targets: Sequence[str]) -> list[str]:
    """Full names of the layers of a part that are not frozen and whose last name is asked for."""
    learning = [
        name
        for name, module in model.get_submodule(part).named_modules()
        if isinstance(module, nn.Linear) and module.weight.requires_grad
    ]
    known = sorted({name.rpartition('.')[2] for name in learning})
    unknown = [target for target in targets if target not in known]
    if unknown or not targets:
        raise ValueError(
            f'lora: the {part} has no linear layer {", ".join(unknown) or "without a name"} that could learn, it has '
            f'{", ".join(known) or "none, because it is frozen"}.'
        )
    return [f'{part}.{name}' for name in learning if name.rpartition('.')[2] in targets]


def _adapted(model: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in model.named_modules() if hasattr(module, 'lora_A')}
