"""Tells whether a text is about an image (METER, arXiv 2111.02387, section 3.3)."""

from torch import Tensor, nn

from florence.layers import Linear
from florence.models.fusion import init_bert_weights


class ITMHead(nn.Module):
    """One linear layer on the pooled features of a pair.

    Args:
        embed_dims: Width D of the tokens.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.fc = Linear(2 * embed_dims, 2)
        self.apply(init_bert_weights)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of no match and of a match, `(B, 2)`.

        Args:
            features: Of `METEREncoder.pool`, `(B, 2 D)`.
        """
        return self.fc(features)
