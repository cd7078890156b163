"""UniCL: bidirectional image-text-label contrastive loss (arXiv 2204.03610; Florence, arXiv 2111.11432, eq. 1-3).

With `S = logit_scale * U V^T` and `P(i)` the pairs that share the label of pair i, the image-to-text half is

    L_i2t = sum_i 1/|P(i)| sum_{k in P(i)} -log softmax(S_i)_k = sum_i [ logsumexp(S_i) - logit_scale <u_i, mean_{P(i)} v> ]

The right-hand form needs only the mean embedding of each label (a segment mean, O(N D)), never an N x N mask; the text-to-image
half has the same positive sum, with the logsumexp over columns.

Differs from the paper in the reduction: 'mean' averages over anchors and over both directions, so that the loss does not grow
with the batch; 'sum' is the paper's equation to the letter. The UniCL release has no working code for this loss.
"""

import torch
from torch import Tensor, nn

from florence.models.losses.gather import gather_rows, is_distributed, rows_per_rank
from florence.registry import MODELS


def unique_ids_for_unlabelled(labels: Tensor, first_index: int = 0) -> Tensor:
    """Replace the label -1 by an id that no other pair on any rank has.

    Args:
        labels: `(N,)` int64, -1 = unlabelled, others >= 0.
        first_index: Index of the first pair among the pairs of all ranks.
    """
    own_ids = -2 - torch.arange(first_index, first_index + labels.numel(), device=labels.device)
    return torch.where(labels == -1, own_ids, labels)


def mean_by_label(embeds: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean embedding of each distinct label.

    Args:
        embeds: `(N, D)`.
        labels: `(N,)` int64.

    Returns:
        Means, `(G, D)` for G distinct labels, and the group of each row, `(N,)`.
    """
    _, group, count = torch.unique(labels, return_inverse=True, return_counts=True)
    total = embeds.new_zeros(count.numel(), embeds.size(1)).index_add(0, group, embeds)
    return total / count.unsqueeze(1).to(embeds.dtype), group


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


@MODELS.register_module()
class UniCLLoss(nn.Module):
    """Contrast every image with every text; pairs whose texts are identical are positives of each other.

    Across ranks both sides are gathered with an exact backward. Under a wrapper that averages gradients over ranks (DDP) the
    result is the gradient of the loss over all pairs, the logit scale's included, also where ranks hold different numbers.

    Args:
        reduction: 'mean': mean over anchors of both directions, halved; 'sum': eq. 1-3 of the paper.
        gather: Contrast with the pairs of all ranks.

    Raises:
        ValueError: If `reduction` is unknown.
    """

    def __init__(self, reduction: str = 'mean', gather: bool = True) -> None:
        super().__init__()
        if reduction not in ('mean', 'sum'):
            raise ValueError(f"UniCLLoss: reduction must be 'mean' or 'sum', got {reduction!r}.")
        self.reduction = reduction
        self.gather = gather

    def forward(self, image_embeds: Tensor, text_embeds: Tensor, labels: Tensor, logit_scale: Tensor | float) -> Tensor:
        """Loss in nats.

        Args:
            image_embeds, text_embeds: L2-normalised embeddings of the pairs of this rank, `(N, D)`.
            labels: `(N,)` int64; equal labels are positives, -1 matches only its own pair.
            logit_scale: Multiplier of the cosine, a positive scalar.

        Returns:
            Scalar, fp32 (fp64 for fp64 input). Its mean over ranks is the loss over the pairs of all ranks.

        Raises:
            ValueError: If shapes or the type of the labels do not fit.
        """
        _check(image_embeds, text_embeds, labels)
        with torch.autocast(image_embeds.device.type, enabled=False):
            dtype = torch.promote_types(image_embeds.dtype, torch.float32)
            image_embeds, text_embeds = image_embeds.to(dtype), text_embeds.to(dtype)
            if self.gather and is_distributed():
                total, num_pairs = self._gathered_sum(image_embeds, text_embeds, labels, logit_scale)
            else:
                total, num_pairs = self._local_sum(image_embeds, text_embeds, labels, logit_scale)
        return total / (2 * num_pairs) if self.reduction == 'mean' else total

    def _local_sum(
        self, image_embeds: Tensor, text_embeds: Tensor, labels: Tensor, logit_scale: Tensor | float
    ) -> tuple[Tensor, int]:
        """Sum over the anchors of both directions, and the number of pairs."""
        labels = unique_ids_for_unlabelled(labels)
        logits = logit_scale * image_embeds @ text_embeds.t()  # (N, N)
        means, group = mean_by_label(text_embeds, labels)
        positive = logit_scale * (image_embeds * means[group]).sum()
        return logits.logsumexp(1).sum() + logits.logsumexp(0).sum() - 2 * positive, labels.numel()

    def _gathered_sum(
        self, image_embeds: Tensor, text_embeds: Tensor, labels: Tensor, logit_scale: Tensor | float
    ) -> tuple[Tensor, int]:
        """Sum over the anchors of this rank against the pairs of all ranks, times the number of ranks."""
        counts = rows_per_rank(labels.numel(), labels.device)
        rank = torch.distributed.get_rank()
        labels = unique_ids_for_unlabelled(labels, first_index=sum(counts[:rank]))
        all_images, all_texts = gather_rows(image_embeds, counts), gather_rows(text_embeds, counts)
        means, group = mean_by_label(all_texts, gather_rows(labels, counts))
        group = group.split(counts)[rank]
        positive = logit_scale * (image_embeds * means[group]).sum()
        image_lse = (logit_scale * image_embeds @ all_texts.t()).logsumexp(1)  # (N,) over the texts of all ranks
        text_lse = (logit_scale * text_embeds @ all_images.t()).logsumexp(1)
        # Averaging over ranks then gives the sum over all anchors: sum_r (W * local_r) / W.
        return len(counts) * (image_lse.sum() + text_lse.sum() - 2 * positive), sum(counts)
