"""Next-token cross-entropy whose logits are never whole: rows of tokens go through the vocabulary chunk by chunk.

32 texts of 1,024 tokens over Florence-2's vocabulary would be 6.7 GB of fp32 logits, and as much again for their gradient. Here
each chunk's gradient is made right after its logits, in the forward pass, so that nothing is kept but the gradients of the inputs
and nothing is computed twice: 3 products in all, as with whole logits. The idea is that of Liger Kernel's fused linear
cross-entropy (arXiv 2410.10989).

Axes: N tokens, D width, V vocabulary.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from florence.models.losses.matmul import add_product_, product

CHUNK_SIZE = 512


def token_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the tokens, nats, and the share of right guesses.

    Args:
        hidden: What is known before each token, `(N, D)`, N >= 1.
        weight: Embedding of every token, `(V, D)`.
        targets: The tokens, `(N,)` int64.

    Returns:
        Scalars, fp32 (fp64 for fp64); the first can be differentiated once.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        hidden = hidden.to(torch.get_autocast_dtype(device))
    # Factors in half precision, sums in fp32: autocast would round them too.
    with torch.autocast(device, enabled=False):
        total, num_right = _SummedCrossEntropy.apply(hidden, weight, targets, torch.is_grad_enabled())
    return total / len(targets), num_right / len(targets)


class _SummedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, targets: Tensor, has_backward: bool) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        factor = weight.to(hidden.dtype)
        needs_hidden, needs_weight = (has_backward and needed for needed in ctx.needs_input_grad[:2])
        sums = torch.promote_types(hidden.dtype, torch.float32)
        ctx.hidden_grad = torch.empty_like(hidden) if needs_hidden else None
        ctx.weight_grad = torch.zeros_like(weight, dtype=sums) if needs_weight else None
        ctx.weight_dtype = weight.dtype
        total, num_right = hidden.new_zeros(2, dtype=sums)
        for start in range(0, len(hidden), CHUNK_SIZE):
            rows = slice(start, start + CHUNK_SIZE)
            logits = product(hidden[rows], factor.t())  # (n, V)
            own = logits.gather(1, targets[rows, None])
            top = logits.amax(1, keepdim=True)
            exponentials = logits.sub_(top).exp_()
            partition = exponentials.sum(1, keepdim=True)
            total += (partition.log() + top - own).sum()
            num_right += (own >= top).sum()
            if needs_hidden or needs_weight:
                # The mean is taken in the backward pass: divided by N here, small gradients would vanish in half precision.
                gradient = exponentials.div_(partition)
                gradient.scatter_add_(1, targets[rows, None], -torch.ones_like(own))
                gradient = gradient.to(hidden.dtype)
                if needs_hidden:
                    ctx.hidden_grad[rows] = product(gradient, factor)
                if needs_weight:
                    add_product_(ctx.weight_grad, gradient.t(), hidden[rows])
        ctx.mark_non_differentiable(num_right)
        return total, num_right

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        hidden_grad, weight_grad = ctx.hidden_grad, ctx.weight_grad
        ctx.hidden_grad = ctx.weight_grad = None
        if hidden_grad is None and weight_grad is None:
            raise ValueError('token_cross_entropy can be differentiated once, its gradients are gone: compute the loss again.')
        if weight_grad is not None:
            weight_grad = weight_grad.mul_(grad).to(ctx.weight_dtype)
        return None if hidden_grad is None else hidden_grad.mul_(grad), weight_grad, None, None
