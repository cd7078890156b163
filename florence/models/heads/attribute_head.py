"""Attributes of objects from a region's feature and its class, as bottom-up attention and VinVL learn them.

Source: arXiv 1707.07998, section 3.1 (concatenate the region's feature with an embedding of its class, one hidden layer);
arXiv 2101.00529 and its code (`attribute_head/`: sizes, normalised softmax, weight 0.5). Florence (arXiv 2111.11432, section 3.6)
says only that attributes are learned from 1x1 RoI pooling on the last stage, multi-task. Differs from the official code in: no
column for "no attribute" (it never has a target there), and boxes without any attribute do not count in the mean, because most
of them were simply not annotated.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from florence.registry import MODELS

LOSSES = ('softmax', 'sigmoid')


@MODELS.register_module()
class AttributeHead(BaseModule):
    """Multi-label classification of regions. N regions, C channels, A attributes.

    Args:
        in_channels: C.
        num_classes: Object classes.
        num_attributes: A.
        class_dims: Width of the class embedding.
        hidden_dims: Width of the hidden layer.
        loss: 'softmax': cross-entropy with the target spread evenly over a region's attributes, scores add up to 1 (VinVL);
            'sigmoid': binary cross-entropy of each attribute, summed over attributes.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If `loss` is neither.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        num_attributes: int,
        *,
        class_dims: int = 256,
        hidden_dims: int = 512,
        loss: str = 'softmax',
        loss_weight: float = 0.5,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"AttributeHead: loss must be 'softmax' or 'sigmoid', got {loss!r}.")
        self.num_classes = num_classes
        self.num_attributes = num_attributes
        self.loss_kind = loss
        self.loss_weight = loss_weight
        self.class_embed = nn.Embedding(num_classes, class_dims)
        self.hidden = nn.Linear(in_channels + class_dims, hidden_dims)
        self.classifier = nn.Linear(hidden_dims, num_attributes)
        for module in (self.class_embed, self.hidden, self.classifier):
            nn.init.normal_(module.weight, std=0.01)
        for layer in (self.hidden, self.classifier):
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Logits `(N, A)`.

        Args:
            features: Of the regions, `(N, C)`.
            labels: Object class of each region, `(N,)` int64.
        """
        hidden = F.relu(self.hidden(torch.cat([features, self.class_embed(labels)], dim=1)))
        return self.classifier(hidden)

    def loss(self, features: Tensor, labels: Tensor, attributes: Tensor) -> dict[str, Tensor]:
        """`loss_attribute`, the mean over the regions with at least one attribute; 0 where there is none.

        Args:
            features: `(N, C)`.
            labels: `(N,)` int64.
            attributes: 1 where a region has an attribute, `(N, A)`.
        """
        logits = self(features, labels).float()
        count = attributes.sum(1, keepdim=True)
        if self.loss_kind == 'softmax':
            per_region = -(attributes / count.clamp(min=1) * logits.log_softmax(1)).sum(1)
        else:
            per_region = F.binary_cross_entropy_with_logits(logits, attributes, reduction='none').sum(1) * (count[:, 0] > 0)
        return {'loss_attribute': self.loss_weight * per_region.sum() / (count > 0).sum().clamp(min=1)}

    def predict(self, features: Tensor, labels: Tensor) -> Tensor:
        """Probability of each attribute, `(N, A)`."""
        logits = self(features, labels).float()
        return logits.softmax(1) if self.loss_kind == 'softmax' else logits.sigmoid()
