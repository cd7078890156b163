"""Parameter groups: which parameters are decayed and at which rate they learn, merged into few groups.

mmengine's default constructor makes one group per parameter, and each group costs a kernel launch or a Python loop per step;
here parameters with the same settings share one group.
"""

from collections.abc import Mapping

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from florence.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS

NO_DECAY_NAMES = ('positional_embedding', 'token_embedding', 'relative_position_bias_table')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor:
    """Builds the optimizer wrapper with no decay where it hurts, and per-part multipliers.

    Not decayed: parameters with fewer than two dimensions (norms, biases, the temperature), position and token embeddings,
    relative position bias tables, and what the model's `no_weight_decay()` names. UniCL's release meant the same but misspelt
    the prefix, so that it decayed its embeddings.

    Args:
        optim_wrapper_cfg: Config of the wrapper, with `optimizer`.
        paramwise_cfg: `custom_keys`: part of a parameter's name -> `dict(lr_mult=..., decay_mult=...)`, the longest match wins;
            `no_decay_names`: further parts of names that are not decayed;
            `layer_decay`: factor of the learning rate from each layer of a tower to the one before it, in (0, 1]; the towers say
            how deep a parameter lies (`parameter_depth`), what lies outside them learns at the full rate.

    Raises:
        ValueError: If `paramwise_cfg` has other keys, a custom key matches no parameter, or no part of a model knows its layers.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        paramwise_cfg = dict(paramwise_cfg or {})
        self.custom_keys: Mapping[str, dict] = paramwise_cfg.pop('custom_keys', {})
        self.no_decay_names = (*NO_DECAY_NAMES, *paramwise_cfg.pop('no_decay_names', ()))
        self.layer_decay: float = paramwise_cfg.pop('layer_decay', 1.0)
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f'GroupedOptimWrapperConstructor: layer_decay must lie in (0, 1], got {self.layer_decay}.')
        if paramwise_cfg:
            raise ValueError(
                'GroupedOptimWrapperConstructor knows custom_keys, no_decay_names and layer_decay, got '
                f'{sorted(paramwise_cfg)} as well.'
            )
        self.optim_wrapper_cfg = dict(optim_wrapper_cfg)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """The optimizer wrapper of a model."""
        wrapper_cfg = dict(self.optim_wrapper_cfg)
        optimizer_cfg = dict(wrapper_cfg.pop('optimizer'))
        wrapper_cfg.setdefault('type', 'OptimWrapper')
        model = model.module if is_model_wrapper(model) else model
        optimizer_cfg['params'] = self.groups(model, optimizer_cfg['lr'], optimizer_cfg.get('weight_decay', 0.0))
        return OPTIM_WRAPPERS.build(wrapper_cfg, default_args=dict(optimizer=OPTIMIZERS.build(optimizer_cfg)))

    def groups(self, model: nn.Module, lr: float, weight_decay: float) -> list[dict]:
        """Parameter groups of a model, one per distinct (lr, weight_decay).

        Args:
            model: Its parameters that need a gradient.
            lr, weight_decay: Those of a parameter without multipliers.

        Raises:
            ValueError: If a custom key matches no parameter.
        """
        if self.layer_decay < 1 and not any(hasattr(module, 'parameter_depth') for module in model.modules()):
            raise ValueError(
                f'layer_decay: no part of {type(model).__name__} has parameter_depth, which tells the layer of a parameter.'
            )
        never_decayed = model.no_weight_decay() if hasattr(model, 'no_weight_decay') else set()
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        unused_keys = set(self.custom_keys)
        for name, parameter in model.named_parameters():
            matches = [key for key in self.custom_keys if key in name]
            unused_keys -= set(matches)
            if not parameter.requires_grad:
                continue
            multipliers = self.custom_keys[max(matches, key=len)] if matches else {}
            decays = parameter.dim() > 1 and name not in never_decayed and not any(part in name for part in self.no_decay_names)
            decay = weight_decay * multipliers.get('decay_mult', 1.0) if decays else 0.0
            rate = lr * multipliers.get('lr_mult', 1.0) * self._layer_factor(model, name)
            groups.setdefault((rate, decay), []).append(parameter)
        if unused_keys:
            raise ValueError(f'custom_keys {sorted(unused_keys)} match no parameter of {type(model).__name__}: check the names.')
        return [dict(params=params, lr=rate, weight_decay=decay) for (rate, decay), params in groups.items()]

    def _layer_factor(self, model: nn.Module, name: str) -> float:
        """Factor of the learning rate that follows from the layer in which a parameter lies."""
        if self.layer_decay == 1:
            return 1.0
        parts = name.split('.')
        for length in range(len(parts) - 1, -1, -1):
            module = model.get_submodule('.'.join(parts[:length]))
            if hasattr(module, 'parameter_depth'):
                depth, top = module.parameter_depth('.'.join(parts[length:]))
                return self.layer_decay ** (top - depth)
        return 1.0
