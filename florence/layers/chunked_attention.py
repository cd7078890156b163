"""Attention with a learned additive bias that never holds the weights of all windows at once, for CPUs.

Legend: G windows, h heads, N tokens of a window, d width of a head.

The weights of a few windows and heads fit a core's cache, those of a whole clip only the memory, which is many times slower than
the arithmetic. The backward pass computes the weights again instead of reading them back (as FlashAttention does, arXiv
2205.14135, section 3.1), and gives the bias its gradient, which PyTorch's own kernel for CPUs does not.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from florence.layers.linear import linear

# Bytes of the weights that are held at once: about what the second cache of a core has.
CHUNK_BYTES = 1 << 20


def chunked_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention with an additive bias.

    Args:
        query, key, value: `(G, h, N, d)`, float32 or float64.
        bias: `(h, N, N)`, of the same dtype.

    Returns:
        `(G, h, N, d)`.
    """
    # oneDNN multiplies matrices whose rows lie apart thousands of times slower.
    return _ChunkedAttention.apply(query.contiguous(), key.contiguous(), value.contiguous(), bias)


class _ChunkedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(query, key, value, bias)
        if torch.get_num_threads() > 1:
            # Small products do not share the work of several threads; PyTorch's kernel does, window by window. It takes no
            # bias that learns: detached, though nothing is recorded here.
            return F.scaled_dot_product_attention(query, key, value, bias.detach()[None])
        out = torch.empty_like(value)
        for part, heads in _chunks(query):
            weights = _weights(query[part], key[part], bias[heads])
            out[part] = _product(weights, value[part])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        query, key, value, bias = ctx.saved_tensors
        grad = grad.contiguous()
        grads = [torch.empty_like(x) for x in (query, key, value)]
        grad_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        scale = query.shape[-1] ** -0.5
        for part, heads in _chunks(query):
            weights = _weights(query[part], key[part], bias[heads])  # (g, k, N, N)
            grads[2][part] = _product(weights.transpose(-2, -1), grad[part])
            grad_weights = _product(grad[part], value[part].transpose(-2, -1))
            grad_logits = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
            if grad_bias is not None:
                grad_bias[heads] += grad_logits.sum(0) if len(grad_logits) > 1 else grad_logits[0]
            grads[0][part] = _product(grad_logits, key[part]).mul_(scale)
            grads[1][part] = _product(grad_logits.transpose(-2, -1), query[part]).mul_(scale)
        return *grads, grad_bias


def _chunks(query: Tensor) -> Iterator[tuple[tuple[slice, slice], slice]]:
    """Windows and heads whose weights are held together: all heads of several windows, or some heads of one."""
    num_windows, num_heads, num_tokens, _ = query.shape
    pairs = max(1, CHUNK_BYTES // (num_tokens**2 * query.element_size()))
    windows, heads = max(1, pairs // num_heads), min(pairs, num_heads)
    for head in range(0, num_heads, heads):
        for window in range(0, num_windows, windows):
            part = slice(head, head + heads)
            yield (slice(window, window + windows), part), part


def _weights(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    logits = _product(query * query.shape[-1] ** -0.5, key.transpose(-2, -1))
    return logits.add_(bias).softmax(-1)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Matrix product of each pair; a single pair takes the faster kernel of `linear`."""
    if left.shape[:2].numel() == 1:
        return linear(left[0, 0], right[0, 0].t())[None, None]
    return left @ right
