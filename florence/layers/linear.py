"""A linear layer that takes oneDNN's float32 kernels on CPU, forwards and backwards.

`torch.nn.Linear` calls MKL, which holds back on processors that are not Intel's: oneDNN, in the same build of
PyTorch, multiplies float32 matrices more than twice as fast on AMD's Zen 5. The arithmetic is float32 in
both; only the order of summation differs. Everywhere else (GPU, half precision, autocast, tracing,
compilation, no oneDNN) this is `torch.nn.Linear`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# With fewer rows and a smaller matrix starting a oneDNN kernel costs what it saves.
MIN_ROWS, MIN_WEIGHT = 16, 2**17


class Linear(nn.Linear):
    """`torch.nn.Linear`, same parameters and results, faster in float32 on CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """`(..., in_features)` to `(..., out_features)`."""
        return linear(input, self.weight, self.bias)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, faster as `Linear` is; for weights that two modules share.

    Args:
        input: `(..., in_features)`.
        weight: `(out_features, in_features)`.
        bias: `(out_features,)`.
    """
    if not _onednn_serves(input, weight):
        return F.linear(input, weight, bias)
    if torch.is_grad_enabled():
        # Whatever the number of rows: ranks that differ in it must not differ in the order in which gradients get ready.
        return _OneDNNLinear.apply(input, weight, bias)
    if input.numel() < MIN_ROWS * input.shape[-1] and weight.numel() < MIN_WEIGHT:
        return F.linear(input, weight, bias)
    return _multiply(input, weight, bias)


def _onednn_serves(x: Tensor, weight: Tensor) -> bool:
    return bool(
        x.device.type == 'cpu'
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch.is_autocast_enabled('cpu')
        and x.dtype == weight.dtype == torch.float32
        and x.numel() > 0
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
    )


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`; `x` `(..., in)`, `weight` `(out, in)`, both of any strides."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'none', [], '')


class _OneDNNLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, weight)
        return _multiply(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        grad = grad.reshape(-1, grad.shape[-1])  # (R, out)
        grad_x = _multiply(grad, weight.t()).view(x.shape) if needs_x else None
        grad_weight = _weight_gradient(grad, x.reshape(-1, x.shape[-1])) if needs_weight else None
        return grad_x, grad_weight, grad.sum(0) if needs_bias else None


def _weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """`grad.T @ x`: `(R, out)` and `(R, in)` to `(out, in)`."""
    rows, num_out, num_in = len(x), grad.shape[1], x.shape[1]
    # oneDNN copies a transposed first operand, and autograd a transposed result: take the order that copies
    # less.
    if rows * num_in + num_out * num_in < rows * num_out:
        return _multiply(x.t(), grad.t()).t()
    return _multiply(grad.t(), x.t())
