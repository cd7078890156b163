"""Mixed precision on any device: autocast in bf16 or fp16, loss scaling for fp16 (arXiv 2111.11432, section 2.7).

Weights, gradients and optimizer states stay fp32; matrix products and convolutions run in half precision. Normalisation, the
logits and the loss of our models are fp32 by construction (`florence.layers.Fp32LayerNorm`, `UniCLLoss`), because CPU and CUDA
autocast disagree on what stays fp32.

Differs from mmengine's AmpOptimWrapper: runs on CPU too, and bf16, which needs no loss scaling, gets none.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from florence.registry import OPTIM_WRAPPERS

DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


def half_precision(dtype: str) -> torch.dtype:
    """The type that a config names.

    Raises:
        ValueError: If it is none of `DTYPES`.
    """
    if dtype not in DTYPES:
        raise ValueError(f'mixed precision runs in one of {sorted(DTYPES)}, got dtype={dtype!r}.')
    return DTYPES[dtype]


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(OptimWrapper):
    """An optimizer wrapper that runs the forward pass under autocast.

    Args:
        dtype: 'bfloat16' or 'float16'.
        loss_scale: For float16: 'dynamic', a fixed factor, or arguments of `torch.amp.GradScaler`. Without effect for bfloat16.
        **kwargs: Arguments of `OptimWrapper`.

    Raises:
        ValueError: If the type is unknown.
    """

    def __init__(self, dtype: str = 'bfloat16', loss_scale: str | float | dict = 'dynamic', **kwargs) -> None:
        super().__init__(**kwargs)
        self.dtype = half_precision(dtype)
        self.device_type = self.optimizer.param_groups[0]['params'][0].device.type
        # A fixed scale grows never; it still shrinks where a gradient overflows, else the run would stand still.
        arguments = {'init_scale': float(loss_scale), 'growth_interval': 2**31 - 1} if isinstance(loss_scale, int | float) else {}
        arguments = dict(loss_scale) if isinstance(loss_scale, dict) else arguments
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=self.dtype == torch.float16, **arguments)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no synchronisation of gradients that are still being accumulated."""
        with super().optim_context(model), torch.autocast(self.device_type, self.dtype):
            yield

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Backward pass of the scaled loss."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs) -> None:
        """Update the weights, unless a gradient overflowed."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict:
        """State of the optimizer and of the loss scale."""
        return {**super().state_dict(), 'loss_scaler': self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore what `state_dict` gave; one that was saved without mixed precision keeps the initial loss scale."""
        state_dict = dict(state_dict)
        scaler = state_dict.pop('loss_scaler', None)
        if scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)
