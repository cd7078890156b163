"""Classification of map cells by text: a projection of the map, compared with one frozen embedding for each name.

Stands in for the last convolution of a dense head (`atss_cls` of mmdet's ATSSHead), so that the number of classes is no property
of the weights. Two forms: cosine with a learned scale (ViLD, arXiv 2104.13921; F-VLM, arXiv 2209.15639), and the plain dot
product of GLIP (arXiv 2112.03857, section 3.1), whose map is not normalised. The bias starts where every class has the prior
probability, as in the focal loss's paper (arXiv 1708.02002, section 4.1).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_SCALE = 100.0
COSINE_SCALE = 10.0


class TextClassifier(nn.Module):
    """A map `(B, C, H, W)` to logits `(B, V, H, W)` of the names in use; without names to the projected map `(B, D, H, W)`.

    Args:
        in_channels: C.
        text_dims: D, width of the embeddings.
        kernel_size: Of the projection, odd.
        normalize: Cosine instead of the plain dot product.
        prior: Probability of each class before training.
    """

    def __init__(
        self, in_channels: int, text_dims: int, *, kernel_size: int = 3, normalize: bool = True, prior: float = 0.01
    ) -> None:
        super().__init__()
        self.normalize = normalize
        self.proj = nn.Conv2d(in_channels, text_dims, kernel_size, padding=kernel_size // 2, bias=False)
        nn.init.normal_(self.proj.weight, std=0.01)
        self.log_scale = nn.Parameter(torch.tensor(math.log(COSINE_SCALE if normalize else 1.0)))
        self.logit_bias = nn.Parameter(torch.tensor(math.log(prior / (1 - prior))))
        self._embeds: Tensor | None = None

    @contextmanager
    def vocabulary(self, embeds: Tensor) -> Iterator[None]:
        """Use these names within the block.

        Args:
            embeds: L2-normalised embeddings, `(V, D)`.
        """
        self._embeds = embeds
        try:
            yield
        finally:
            self._embeds = None

    def forward(self, maps: Tensor) -> Tensor:
        """Logits of the names in use, or the projected map where none are."""
        projected = self.proj(maps)
        if self.normalize:
            projected = F.normalize(projected.float(), dim=1)
        return projected if self._embeds is None else self.logits(projected, self._embeds)

    def logits(self, projected: Tensor, embeds: Tensor) -> Tensor:
        """Scaled similarity of every cell with every name, `(B, V, H, W)`.

        Args:
            projected: Map as `forward` gives it, `(B, D, H, W)`.
            embeds: `(V, D)`.
        """
        scale = self.log_scale.clamp(max=math.log(MAX_SCALE)).exp()
        similarity = F.conv2d(projected, embeds.to(projected.dtype)[:, :, None, None])  # (B, D, H, W) x (V, D) -> (B, V, H, W)
        return similarity * scale + self.logit_bias
