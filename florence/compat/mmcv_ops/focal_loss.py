"""Focal losses (arXiv 1708.02002, Eq. 5) and their derivatives, by the formulas of mmcv's CUDA kernels.

mmcv compiles no CPU form. Probabilities are clamped to the smallest float32 before the logarithm, as there. A
`weight` (one per class) is looked up by the sample's label; mmcv reads past its end for a background label,
here that is an error.
"""

import torch
from torch import Tensor

from florence.compat.mmcv_ops.precision import widen

SMALLEST = torch.finfo(torch.float32).tiny


def _log(probability: Tensor) -> Tensor:
    return probability.clamp(min=SMALLEST).log()


def _weight_of(target: Tensor, weight: Tensor) -> Tensor:
    if bool(((target < 0) | (target >= len(weight))).any()):
        raise ValueError(
            f'A weighted focal loss needs labels in [0, {len(weight)}), one weight per class, but the '
            f'labels span [{int(target.min())}, {int(target.max())}]; leave out the background or the '
            'weight.'
        )
    return weight[target]


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float) -> None:
    """Write each logit's loss into `output`, `(N, C)`; a `target` outside `[0, C)` has no positive class."""
    p = widen(input).sigmoid()
    positive = -alpha * (1 - p).pow(gamma) * _log(p)
    negative = -(1 - alpha) * p.pow(gamma) * _log(1 - p)
    output.copy_(_choose_and_weigh(positive, negative, target, weight))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of each logit's loss into `grad_input`, `(N, C)`."""
    p = widen(input).sigmoid()
    positive = -alpha * (1 - p).pow(gamma) * (1 - p - gamma * p * _log(p))
    negative = -(1 - alpha) * p.pow(gamma) * (gamma * (1 - p) * _log(1 - p) - p)
    grad_input.copy_(_choose_and_weigh(positive, negative, target, weight))


def _choose_and_weigh(positive: Tensor, negative: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    classes = torch.arange(positive.size(1), device=positive.device)
    chosen = torch.where(target[:, None] == classes, positive, negative)
    return chosen * _weight_of(target, weight)[:, None] if weight.numel() else chosen


def softmax_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float) -> None:
    """Write each sample's loss into `output`, `(N,)`; `input` `(N, C)` is the softmax, labels < 0 cost 0."""
    p = _probability_of(target, widen(input))
    loss = -alpha * (1 - p).pow(gamma) * _log(p)
    output.copy_(_weigh_labelled(loss, target, weight))


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative of each sample's loss by its logits into `grad_input`, `(N, C)`."""
    softmax = widen(input)
    p = _probability_of(target, softmax)
    slope = alpha * (-(1 - p).pow(gamma) + gamma * (1 - p).pow(gamma - 1) * p * _log(p))
    slope = _weigh_labelled(slope, target, weight)
    buff.copy_(slope)
    one_hot = target[:, None] == torch.arange(softmax.size(1), device=softmax.device)
    grad_input.copy_(slope[:, None] * (one_hot.to(softmax.dtype) - softmax))


def _probability_of(target: Tensor, softmax: Tensor) -> Tensor:
    return softmax.gather(1, target.clamp(min=0)[:, None])[:, 0]


def _weigh_labelled(values: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    if weight.numel():
        values = values * _weight_of(target.clamp(min=0), weight)
    return values.masked_fill(target < 0, 0)
