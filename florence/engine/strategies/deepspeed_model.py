"""The model and optimizer wrappers through which mmengine's loops drive a deepspeed engine.

They differ from mmengine's in passing on the options of `backward`, which a gradient cache needs; in casting only floating
inputs, and only where the engine holds half-precision weights, so that labels stay int64; and in loss scaling for fp16 autocast,
whose deepspeed form lets every rank decide by itself whether a step overflowed.
"""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import MessageHub
from mmengine.optim import BaseOptimWrapper
from mmengine.utils import apply_to
from torch import Tensor, nn

from florence.engine.strategies.whole_in_evaluation import WholeInEvaluation
from florence.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS


@MODEL_WRAPPERS.register_module()
class DeepSpeedModel(nn.Module):
    """A deepspeed engine with the steps that mmengine's loops call.

    Args:
        engine: What `deepspeed.initialize` returned.
    """

    def __init__(self, engine: Any) -> None:
        super().__init__()
        # Not as a submodule: the weights belong to `module`, whose names must not get a prefix.
        object.__setattr__(self, 'engine', engine)
        self.weights = WholeInEvaluation(engine)

    @property
    def module(self) -> nn.Module:
        """The wrapped model."""
        return self.engine.module

    def train(self, mode: bool = True) -> 'DeepSpeedModel':
        """Switch mode of the wrapped model; under ZeRO-3 every rank must call it, see `WholeInEvaluation`."""
        self.training = mode
        self.engine.train(mode)
        if mode:
            self.weights.split()
        else:
            self.weights.gather()
        return self

    def state_dict(self, *args, **kwargs) -> dict:
        """State of the wrapped model; under ZeRO-3 its weights are empty here, see the strategy."""
        return self.module.state_dict(*args, **kwargs)

    def parameters(self, recurse: bool = True):
        """Parameters of the wrapped model."""
        return self.module.parameters(recurse)

    def named_parameters(self, *args, **kwargs):
        """Named parameters of the wrapped model."""
        return self.module.named_parameters(*args, **kwargs)

    def forward(self, *args, **kwargs):
        """Forward pass through the engine."""
        return self.engine(*args, **kwargs)

    def train_step(self, data: dict | tuple | list, optim_wrapper: 'DeepSpeedOptimWrapper') -> dict[str, Tensor]:
        """Forward, backward and update; returns what is to be logged."""
        losses = self._run_forward(self.preprocess(data, training=True), mode='loss')
        loss, log_vars = self.module.parse_losses(losses)
        optim_wrapper.update_params(loss)
        return log_vars

    def val_step(self, data: dict | tuple | list) -> list:
        """Predictions of a batch."""
        return self._run_forward(self.preprocess(data, training=False), mode='predict')

    test_step = val_step

    def preprocess(self, data: dict | tuple | list, training: bool) -> dict | tuple | list:
        """The model's data preprocessor; floating inputs in the type of the weights."""
        data = self.module.data_preprocessor(data, training)
        dtype = next(self.module.parameters()).dtype
        if dtype not in (torch.float16, torch.bfloat16):
            return data
        return apply_to(data, lambda part: isinstance(part, Tensor) and part.is_floating_point(), lambda part: part.to(dtype))

    def _run_forward(self, data: dict | tuple | list, mode: str) -> Any:
        # The engine's own call lets the ranks compare their steps.
        run = self.module.forward if self.weights.is_whole else self
        return run(**data, mode=mode) if isinstance(data, Mapping) else run(*data, mode=mode)


class DynamicLossScale:
    """A factor that keeps small fp16 gradients from vanishing: halved where one overflows, doubled after a while without.

    Args:
        init_scale: First factor.
        growth_interval: Steps without overflow before the factor grows; 0 = never.
    """

    def __init__(self, init_scale: float = 2.0**16, growth_interval: int = 2000) -> None:
        self.scale = float(init_scale)
        self.growth_interval = growth_interval
        self.steps_since_overflow = 0

    def update(self, overflowed: bool) -> None:
        """Count one step."""
        self.steps_since_overflow = 0 if overflowed else self.steps_since_overflow + 1
        if overflowed:
            self.scale = max(self.scale / 2, 1.0)
        elif self.growth_interval and self.steps_since_overflow == self.growth_interval:
            self.scale *= 2
            self.steps_since_overflow = 0


@OPTIM_WRAPPERS.register_module()
class DeepSpeedOptimWrapper(BaseOptimWrapper):
    """Backward pass and update by the engine, which also clips, accumulates and reduces gradients.

    Args:
        optimizer: The optimizer that deepspeed wrapped, or is going to wrap.
    """

    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer)
        self.model: DeepSpeedModel | None = None
        self.loss_scale: DynamicLossScale | None = None

    def attach(self, model: DeepSpeedModel, loss_scale: DynamicLossScale | None) -> None:
        """Connect with the engine.

        Args:
            model: The wrapped engine.
            loss_scale: For fp16 autocast; None: the engine's own scaling, if any.
        """
        self.model, self.loss_scale = model, loss_scale
        if loss_scale is not None:
            optimizer = model.engine.optimizer
            optimizer.override_loss_scale(loss_scale.scale)
            if hasattr(optimizer, '_overflow_check_and_loss_scale_update'):
                _check_overflow_whatever_the_dtype(optimizer)

    def update_params(self, loss: Tensor) -> None:  # type: ignore[override]
        """Backward pass and, where enough batches were accumulated, an update."""
        self.backward(loss)
        self.step()

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Backward pass.

        Args:
            loss: Scalar.
            **kwargs: Options of the engine's `backward`, e.g. `scale_wrt_gas=False`.
        """
        assert self.model is not None
        self.model.engine.backward(loss, **kwargs)

    def step(self, **kwargs) -> None:
        """Update; the norm of the gradients goes to the log."""
        assert self.model is not None
        engine = self.model.engine
        updates = engine.is_gradient_accumulation_boundary()
        engine.step(**kwargs)
        if not updates:
            return
        if self.loss_scale is not None:
            self.loss_scale.update(engine.optimizer.overflow)
            engine.optimizer.override_loss_scale(self.loss_scale.scale)
        norm = engine.get_global_grad_norm()
        if norm is not None:
            MessageHub.get_current_instance().update_scalar('train/grad_norm', float(norm))

    def zero_grad(self, **kwargs) -> None:
        """Nothing to do: the engine drops gradients once they are used."""

    def optim_context(self, model: nn.Module):
        """Nothing to enter: precision and accumulation are the engine's."""
        from contextlib import nullcontext

        return nullcontext()

    def state_dict(self) -> dict:
        """What the engine does not save: base settings of the parameter groups and the loss scale."""
        state: dict[str, Any] = {}
        if self.base_param_settings is not None:
            state['base_param_settings'] = self.base_param_settings
        if self.loss_scale is not None:
            state['loss_scale'] = vars(self.loss_scale).copy()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore what `state_dict` gave."""
        if 'base_param_settings' in state_dict:
            self.base_param_settings = state_dict['base_param_settings']
        if self.loss_scale is not None and 'loss_scale' in state_dict:
            vars(self.loss_scale).update(state_dict['loss_scale'])
            assert self.model is not None
            self.model.engine.optimizer.override_loss_scale(self.loss_scale.scale)


def _check_overflow_whatever_the_dtype(optimizer: Any) -> None:
    """ZeRO-3 looks for overflow only where the weights are fp16; under fp16 autocast they are fp32 and gradients overflow too."""

    def check(update_scale: bool = True) -> bool:
        optimizer.check_overflow()
        return optimizer._loss_scale_update_and_overflow_cleanup() if update_scale else optimizer.overflow

    optimizer._overflow_check_and_loss_scale_update = check
