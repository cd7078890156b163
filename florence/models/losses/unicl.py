"""UniCL: bidirectional image-text-label contrastive loss (arXiv 2204.03610; Florence, arXiv 2111.11432, eq. 1-3).

With `S = logit_scale * U V^T` and `P(i)` the pairs that share the label of pair i, the image-to-text half is

    L_i2t = sum_i 1/|P(i)| sum_{k in P(i)} -log softmax(S_i)_k = sum_i [ logsumexp(S_i) - logit_scale <u_i, mean_{P(i)} v> ]

The right-hand form needs only the sum of the embeddings of each label, O(N D), never an N x N mask; the text-to-image half has
the same positive sum, with the logsumexp over columns.

Differs from the paper in the reduction: 'mean' averages over anchors and over both directions, so that the loss does not grow
with the batch; 'sum' is the paper's equation to the letter. The UniCL release has no working code for this loss.
"""

import importlib.util
import os

import torch
from torch import Tensor, nn

from florence.models.losses.gather import gather_rows, is_distributed, rows_per_rank
from florence.models.losses.label_groups import LabelGroups, group_labels, positive_similarity, unique_ids_for_unlabelled
from florence.models.losses.streaming import streaming_sum
from florence.models.losses.tiles import TORCH_TILES, TileMath
from florence.registry import MODELS

IMPLS = ('auto', 'dense', 'streaming', 'triton')
# Up to so many logits on a rank the dense form is as fast, and can be differentiated twice.
MAX_DENSE_LOGITS = 512 * 512


def _check(image_embeds: Tensor, text_embeds: Tensor, labels: Tensor) -> None:
    if image_embeds.dim() != 2 or image_embeds.shape != text_embeds.shape:
        raise ValueError(
            'UniCLLoss compares N image embeddings with N text embeddings of one width (N, D), got '
            f'{tuple(image_embeds.shape)} and {tuple(text_embeds.shape)}: encode one text per image and project both to '
            'the same embed_dims.'
        )
    if labels.dtype != torch.int64 or labels.shape != image_embeds.shape[:1]:
        raise ValueError(
            f'UniCLLoss expects labels of shape ({image_embeds.size(0)},) and type int64 (a text hash loses bits in any '
            f'float), got {tuple(labels.shape)} {labels.dtype}.'
        )


def _scalar(logit_scale: Tensor | float, like: Tensor, dtype: torch.dtype) -> Tensor:
    """0-dim, on the device of the embeddings, still differentiable."""
    scale = torch.as_tensor(logit_scale)
    if scale.numel() != 1:
        raise ValueError(f'UniCLLoss expects one logit_scale for all pairs, got a tensor of shape {tuple(scale.shape)}.')
    return scale.to(like.device, dtype).reshape(())


@MODELS.register_module()
class UniCLLoss(nn.Module):
    """Contrast every image with every text; pairs whose texts are identical are positives of each other.

    Across ranks the gradient is exact: under a wrapper that averages gradients over ranks (DDP) the result is the gradient of
    the loss over all pairs, the logit scale's included, also where ranks hold different numbers.

    Args:
        reduction: 'mean': mean over anchors of both directions, halved; 'sum': eq. 1-3 of the paper.
        gather: Contrast with the pairs of all ranks.
        impl: 'dense': all logits in memory, O(N^2), both sides gathered across ranks, differentiable twice; 'streaming': tile
            after tile in plain torch, O(N), only the texts gathered; 'triton': the same with CUDA kernels; 'auto': dense for
            small batches, otherwise triton on CUDA where it is installed, otherwise streaming. Each gives the same bits in
            every run.

    Raises:
        ValueError: If `reduction` or `impl` is unknown.
    """

    def __init__(self, reduction: str = 'mean', gather: bool = True, impl: str = 'auto') -> None:
        super().__init__()
        if reduction not in ('mean', 'sum'):
            raise ValueError(f"UniCLLoss: reduction must be 'mean' or 'sum', got {reduction!r}.")
        if impl not in IMPLS:
            raise ValueError(f'UniCLLoss: impl must be one of {", ".join(map(repr, IMPLS))}, got {impl!r}.')
        self.reduction = reduction
        self.gather = gather
        self.impl = impl

    def forward(self, image_embeds: Tensor, text_embeds: Tensor, labels: Tensor, logit_scale: Tensor | float) -> Tensor:
        """Loss in nats.

        Args:
            image_embeds, text_embeds: L2-normalised embeddings of the pairs of this rank, `(N, D)`.
            labels: `(N,)` int64; equal labels are positives, -1 matches only its own pair.
            logit_scale: Multiplier of the cosine, a positive scalar.

        Returns:
            Scalar, fp32 (fp64 for fp64 input). Its mean over ranks is the loss over the pairs of all ranks.

        Raises:
            ValueError: If shapes or the type of the labels do not fit, or `impl='triton'` has no GPU or no kernel for the type.
        """
        _check(image_embeds, text_embeds, labels)
        with torch.autocast(image_embeds.device.type, enabled=False):
            distributed = self.gather and is_distributed()
            counts = rows_per_rank(labels.numel(), labels.device) if distributed else [labels.numel()]
            rank = torch.distributed.get_rank() if distributed else 0
            own = slice(sum(counts[:rank]), sum(counts[: rank + 1]))
            groups = group_labels(gather_rows(unique_ids_for_unlabelled(labels, first_index=own.start), counts), own)

            dtype = torch.promote_types(image_embeds.dtype, text_embeds.dtype)
            scale = _scalar(logit_scale, image_embeds, torch.promote_types(dtype, torch.float32))
            # The same on every rank, as the forms differ in what they exchange.
            tile_math = self._tile_math(image_embeds.device, dtype, max(counts) * sum(counts))
            if tile_math is None or (tile_math is TORCH_TILES and image_embeds.device.type == 'cpu'):
                dtype = scale.dtype  # half precision pays in the tiles of a GPU only
            image_embeds, text_embeds = image_embeds.to(dtype), text_embeds.to(dtype)
            texts = gather_rows(text_embeds, counts)
            if tile_math is not None:
                total = streaming_sum(image_embeds.contiguous(), texts.contiguous(), groups, scale, tile_math, len(counts))
            elif distributed:
                images = gather_rows(image_embeds, counts)
                total = len(counts) * _dense_sum_of_rank(image_embeds, text_embeds, images, texts, groups, scale)
            else:
                total = _dense_sum(image_embeds, text_embeds, groups, scale)
        return total / (2 * sum(counts)) if self.reduction == 'mean' else total

    def _tile_math(self, device: torch.device, dtype: torch.dtype, num_logits: int) -> TileMath | None:
        """Work on tiles, None for the dense form."""
        has_kernels = dtype != torch.float64 and importlib.util.find_spec('triton') is not None
        interpreted = os.environ.get('TRITON_INTERPRET') == '1'
        if self.impl == 'triton' and not (has_kernels and (device.type == 'cuda' or interpreted)):
            raise ValueError(
                f"UniCLLoss: impl='triton' needs a CUDA device, the triton package and embeddings of at most 32 bits, got "
                f"{dtype} on {device}: use impl='auto' or 'streaming'."
            )
        if self.impl == 'dense' or (self.impl == 'auto' and num_logits <= MAX_DENSE_LOGITS):
            return None
        if self.impl == 'triton' or (self.impl == 'auto' and has_kernels and device.type == 'cuda'):
            from florence.models.losses.triton_tiles import TRITON_TILES

            return TRITON_TILES
        return TORCH_TILES


def _dense_sum(image_embeds: Tensor, text_embeds: Tensor, groups: LabelGroups, scale: Tensor) -> Tensor:
    """Sum over the anchors of both directions."""
    logits = scale * image_embeds @ text_embeds.t()  # (N, N)
    positive = scale * positive_similarity(image_embeds, text_embeds, groups)
    return logits.logsumexp(1).sum() + logits.logsumexp(0).sum() - 2 * positive


def _dense_sum_of_rank(
    image_embeds: Tensor, text_embeds: Tensor, all_images: Tensor, all_texts: Tensor, groups: LabelGroups, scale: Tensor
) -> Tensor:
    """Sum over the anchors of this rank against the pairs of all ranks; over ranks these add up to the sum over all anchors."""
    positive = scale * positive_similarity(image_embeds, all_texts, groups)
    image_lse = (scale * image_embeds @ all_texts.t()).logsumexp(1)  # (N,) over the texts of all ranks
    text_lse = (scale * text_embeds @ all_images.t()).logsumexp(1)
    return image_lse.sum() + text_lse.sum() - 2 * positive
