"""Focal loss (arXiv 1708.02002, eq. 5) that knows for each image which classes were looked for.

Sets that are merged do not box the same classes everywhere: what is not boxed may still be there (LVIS, arXiv 1908.03195, section
3.1). The negative half of the loss is scaled for each image and class, by 0 where nobody looked, by less than 1 where boxes are
missing; the positive half is scaled too, for pseudo boxes that are not sure. Without scales it equals mmdet's FocalLoss, for
which it stands in; the backward is written out and stores no intermediate.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from florence.registry import MODELS

REDUCTIONS = ('none', 'mean', 'sum')


def image_negative_weights(data_samples: Sequence[Any], device: torch.device | str = 'cpu') -> Tensor:
    """Weight of the background of each image, `(B, 1)`: the entry `negative_weight` of its sample, 1 where there is none.

    Args:
        data_samples: B samples, see `florence.CocoDetection`.
        device: Where the result lies.
    """
    weights = [float(sample.metainfo.get('negative_weight', 1.0)) for sample in data_samples]
    return torch.tensor(weights, device=device)[:, None]


@MODELS.register_module()
class FederatedFocalLoss(nn.Module):
    """`loss_cls` of mmdet's dense heads (ATSS, RetinaNet, ...); write `use_sigmoid=True` into the config, the heads look for it.

    Args:
        use_sigmoid: Always True: the classes are judged one by one.
        gamma: Exponent that plays easy examples down.
        alpha: Weight of the positive half; the negative half has 1 - alpha.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: Factor of the whole.

    Raises:
        ValueError: If `use_sigmoid` is False or the reduction is unknown.
    """

    def __init__(
        self,
        *,
        use_sigmoid: bool = True,
        gamma: float = 2.0,
        alpha: float = 0.25,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not use_sigmoid:
            raise ValueError('FederatedFocalLoss judges classes one by one: set use_sigmoid=True.')
        if reduction not in REDUCTIONS:
            raise ValueError(f'reduction must be one of {", ".join(REDUCTIONS)}, not {reduction!r}.')
        self.use_sigmoid = use_sigmoid
        self.gamma, self.alpha = gamma, alpha
        self.reduction, self.loss_weight = reduction, loss_weight
        self._scales: tuple[Tensor, Tensor] | None = None

    @contextmanager
    def per_image(self, negative_weights: Tensor, positive_weights: Tensor | None = None) -> Iterator[None]:
        """Scale the terms of each image and class within the block.

        Args:
            negative_weights: Factor of the negative terms, `(B, V)`; 0 = the class was not looked for in this image. V is 1 for a
                class-agnostic head.
            positive_weights: Factor of the positive terms, `(B, V)`; None: 1.

        Raises:
            ValueError: If the shapes are not two equal `(B, V)`.
        """
        positive_weights = torch.ones_like(negative_weights) if positive_weights is None else positive_weights
        if negative_weights.dim() != 2 or negative_weights.shape != positive_weights.shape:
            found = f'{tuple(negative_weights.shape)} and {tuple(positive_weights.shape)}'
            raise ValueError(f'weights of negative and positive terms must both be (images, classes), got {found}.')
        self._scales = (negative_weights, positive_weights)
        try:
            yield
        finally:
            self._scales = None

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Loss of logits.

        Args:
            pred: Logits, `(N, V)`; within `per_image` the N rows are B equal blocks, one an image.
            target: Class of each row, `(N,)` int64; V (or anything outside `[0, V)`) is background.
            weight: Factor of each row, `(N,)`, or of each entry, `(N, V)`.
            avg_factor: Divides the sum in place of the number of entries; 'mean' only.
            reduction_override: Reduction of this call.

        Returns:
            Scalar, or `(N, V)` for 'none'.

        Raises:
            ValueError: If the shapes do not fit, or `avg_factor` meets another reduction than 'mean'.
        """
        if pred.dim() != 2 or target.shape != pred.shape[:1]:
            raise ValueError(f'expected logits (N, V) and classes (N,), got {tuple(pred.shape)} and {tuple(target.shape)}.')
        reduction = reduction_override or self.reduction
        if avg_factor is not None and reduction == 'sum':
            raise ValueError("avg_factor divides a sum of its own: use reduction 'mean' with it, not 'sum'.")
        negative, positive = self._scales_for(pred)
        loss = _SigmoidFocal.apply(pred, target, negative, positive, self.gamma, self.alpha)
        if weight is not None:
            loss = loss * (weight[:, None] if weight.dim() == 1 else weight)
        return self.loss_weight * _reduce(loss, reduction, avg_factor)

    def _scales_for(self, pred: Tensor) -> tuple[Tensor | None, Tensor | None]:
        if self._scales is None:
            return None, None
        num_images, num_classes = self._scales[0].shape
        if num_classes != pred.size(1) or pred.size(0) % num_images:
            raise ValueError(
                f'weights are for {num_images} images and {num_classes} classes, but there are {pred.size(0)} rows of '
                f'{pred.size(1)} logits.'
            )
        negative, positive = (scale.to(pred.device, torch.promote_types(pred.dtype, torch.float32)) for scale in self._scales)
        return negative, positive


def _reduce(loss: Tensor, reduction: str, avg_factor: float | None) -> Tensor:
    if reduction == 'none':
        return loss
    if reduction == 'sum':
        return loss.sum()
    # The same small number as mmdet's, which guards against a batch without any object.
    return loss.mean() if avg_factor is None else loss.sum() / (avg_factor + torch.finfo(torch.float32).eps)


class _SigmoidFocal(torch.autograd.Function):
    """Loss of every logit: the negative form everywhere, then the positive form at the rows' own classes."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx, pred: Tensor, target: Tensor, negative: Tensor | None, positive: Tensor | None, gamma: float, alpha: float
    ) -> Tensor:
        ctx.save_for_backward(pred, target, negative, positive)
        ctx.gamma, ctx.alpha = gamma, alpha
        x = pred.to(torch.promote_types(pred.dtype, torch.float32))
        loss = x.sigmoid().pow_(gamma).mul_(F.softplus(x)).mul_(1 - alpha)
        _scale_blocks(loss, negative)
        rows, classes = _positives(target, x.size(1))
        own = x[rows, classes]
        term = alpha * (-own).sigmoid().pow(gamma) * F.softplus(-own)
        loss[rows, classes] = term * _scale_of(rows, classes, positive, len(x))
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss: Tensor):  # type: ignore[override]
        pred, target, negative, positive = ctx.saved_tensors
        gamma, alpha = ctx.gamma, ctx.alpha
        x = pred.to(torch.promote_types(pred.dtype, torch.float32))
        p = x.sigmoid()
        grad = F.softplus(x).mul_(1 - p).mul_(gamma).add_(p).mul_(p.pow_(gamma)).mul_(1 - alpha)
        _scale_blocks(grad, negative)
        rows, classes = _positives(target, x.size(1))
        own = x[rows, classes]
        q = (-own).sigmoid()  # 1 - p
        slope = -alpha * q.pow(gamma) * (gamma * (1 - q) * F.softplus(-own) + q)
        grad[rows, classes] = slope * _scale_of(rows, classes, positive, len(x))
        return grad.mul_(grad_loss).to(pred.dtype), None, None, None, None, None


def _positives(target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    rows = ((target >= 0) & (target < num_classes)).nonzero()[:, 0]
    return rows, target[rows]


def _scale_blocks(values: Tensor, scale: Tensor | None) -> None:
    if scale is not None:
        values.view(len(scale), -1, values.size(1)).mul_(scale[:, None])  # (N, V) -> (B, N / B, V)


def _scale_of(rows: Tensor, classes: Tensor, scale: Tensor | None, num_rows: int) -> Tensor | float:
    return 1.0 if scale is None else scale[rows // (num_rows // len(scale)), classes]
