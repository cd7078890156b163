"""The two-layer classifier on METER's pooled features (arXiv 2111.02387, section 4)."""

from torch import nn

from florence.layers import Linear
from florence.models.fusion import init_bert_weights


def pair_classifier(in_dims: int, hidden_dims: int, num_classes: int) -> nn.Sequential:
    """Linear, LayerNorm, GELU, linear, with BERT's initialisation.

    Args:
        in_dims: Width of the pooled features, 2 D for one image.
        hidden_dims: Width between the layers.
        num_classes: Outputs.
    """
    layers = nn.Sequential(Linear(in_dims, hidden_dims), nn.LayerNorm(hidden_dims), nn.GELU(), Linear(hidden_dims, num_classes))
    return layers.apply(init_bert_weights)
