"""Score of a region and a name from objectness and similarity: `o^w * p^(1 - w)`, the geometric mean of detector and classifier.

Florence (arXiv 2111.11432, section 3.6) separates proposals from their classification and does not say how the two scores are
joined. `w = 0.5` is RegionCLIP's `sqrt(o * p)` (arXiv 2112.09106), whose classifier is a softmax over the cosines too; F-VLM
(arXiv 2209.15639) takes the same form with other weights.
"""

import torch
from torch import Tensor

from florence.registry import MODELS

KINDS = ('softmax', 'sigmoid')


@MODELS.register_module()
class ScoreFusion:
    """Joins objectness and the similarity to names.

    Args:
        kind: 'softmax': names, and those of the background, compete for a region; 'sigmoid': each name is judged alone, around
            the cosine `midpoint`.
        objectness_weight: `w`, in [0, 1]; 0 leaves the classifier alone, 1 the objectness.
        multiplier: Of the cosines, the inverse temperature; None: the tower's own.
        midpoint: Cosine to which the sigmoid gives probability 0.5; depends on the tower, measure it on validation images.

    Raises:
        ValueError: If the kind is unknown or the weight lies outside [0, 1].
    """

    def __init__(
        self,
        *,
        kind: str = 'softmax',
        objectness_weight: float = 0.5,
        multiplier: float | None = None,
        midpoint: float = 0.25,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f'ScoreFusion: kind must be one of {KINDS}, got {kind!r}.')
        if not 0 <= objectness_weight <= 1:
            raise ValueError(f'ScoreFusion: objectness_weight must lie in [0, 1], got {objectness_weight}.')
        self.kind = kind
        self.objectness_weight = objectness_weight
        self.multiplier = multiplier
        self.midpoint = midpoint

    def __call__(self, cosines: Tensor, objectness: Tensor, num_background: int, multiplier: Tensor) -> Tensor:
        """Scores `(R, K)` in [0, 1].

        Args:
            cosines: Of R regions with K names followed by those of the background, `(R, K + num_background)`.
            objectness: `(R,)`, in [0, 1].
            num_background: How many of the columns are no classes.
            multiplier: The tower's own, a scalar.
        """
        scale = multiplier if self.multiplier is None else self.multiplier
        softmax = self.kind == 'softmax'
        probability = (scale * cosines).softmax(1) if softmax else torch.sigmoid(scale * (cosines - self.midpoint))
        probability = probability[:, : cosines.shape[1] - num_background]
        return objectness[:, None] ** self.objectness_weight * probability ** (1 - self.objectness_weight)

    def describe(self) -> dict:
        """What a result should keep of it: plain values."""
        settings = dict(kind=self.kind, objectness_weight=self.objectness_weight, multiplier=self.multiplier)
        return settings | (dict(midpoint=self.midpoint) if self.kind == 'sigmoid' else {})
