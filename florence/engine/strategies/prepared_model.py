"""What every strategy does to a fresh model before it is wrapped: activation checkpointing and compilation."""

from collections.abc import Sequence

from mmengine.model import is_model_wrapper
from torch import nn

from florence.engine.activation_checkpointing import checkpoint_activations


class PreparedModel:
    """Mixin of the strategies.

    Args:
        activation_checkpointing: Patterns of module names, see `florence.engine.activation_checkpointing`.
        **kwargs: Arguments of the strategy.
    """

    def __init__(self, *, activation_checkpointing: Sequence[str] | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.activation_checkpointing = activation_checkpointing

    def _init_model_weights(self, model: nn.Module) -> nn.Module:
        model = super()._init_model_weights(model)  # type: ignore[misc]
        if self.activation_checkpointing:
            names = checkpoint_activations(model, self.activation_checkpointing)
            self.logger.info(f'activations of {len(names)} modules are recomputed, the first is {names[0]}')  # type: ignore[attr-defined]
        return model

    def compile_model(self, model: nn.Module, compile: dict | bool = False) -> nn.Module:
        """Compile parts of a model in place.

        Args:
            model: Wrapped or not.
            compile: True, or arguments of `torch.compile` with `targets`: names of the modules to compile; without them each
                direct part that has weights. The whole step is not compiled: it handles strings and samples, where each one
                breaks the graph.
        """
        if not compile:
            return model
        options = dict(compile) if isinstance(compile, dict) else {}
        inner = model.module if is_model_wrapper(model) else model
        with_weights = [name for name, child in inner.named_children() if any(True for _ in child.parameters())]
        targets = options.pop('targets', with_weights)
        for name in targets:
            inner.get_submodule(name).compile(**options)
        self.logger.info(f'compiled {", ".join(targets)}: the first iterations are slow')  # type: ignore[attr-defined]
        return model
