"""Attention between the channels of a map, in groups, DaViT (arXiv 2204.03645, section 3.3): a token of it is a channel, whose
features are the pixels, so that every pixel is seen at a cost linear in their number.

There are two forms. `tokens`, of Florence-2 (arXiv 2311.06242): queries meet keys over the N tokens of the map, scaled by
`N^-0.5`, and weigh values. `heads`, of the ImageNet weights: keys meet values, scaled by `d^-0.5`, and weigh queries.

Legend: B batch, N tokens of a map, g groups, d channels of a group, C = g d.

Differs from the official code in: logits and softmax are float32 or wider.
"""

import torch
from torch import Tensor, nn

from florence.layers.linear import Linear

FORMS = ('tokens', 'heads')


class ChannelAttention(nn.Module):
    """Self-attention of the channels of each group over a whole map.

    Args:
        embed_dims: C.
        num_groups: g, divides C.
        form: 'tokens' or 'heads'.

    Raises:
        ValueError: If `num_groups` does not divide `embed_dims`, or `form` is unknown.
    """

    def __init__(self, embed_dims: int, num_groups: int, form: str = 'tokens') -> None:
        super().__init__()
        if embed_dims % num_groups:
            raise ValueError(f'embed_dims ({embed_dims}) must be a multiple of num_groups ({num_groups}).')
        if form not in FORMS:
            raise ValueError(f'channel attention has the forms {FORMS}, got {form!r}.')
        self.num_groups = num_groups
        self.form = form
        self.qkv = Linear(embed_dims, 3 * embed_dims)
        self.proj = Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        qkv = self.qkv(x).flatten(1, 2).unflatten(-1, (3, self.num_groups, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, g, N, d) each
        if self.form == 'tokens':
            left, right, weighed, scale = query, key, value, query.shape[-2] ** -0.5
        else:
            left, right, weighed, scale = key, value, query, query.shape[-1] ** -0.5
        # Scaled before the sum over all tokens, which half precision may not hold.
        logits = (left * scale).transpose(-2, -1) @ right  # (B, g, d, d)
        weights = logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(-1).to(weighed.dtype)
        out = weighed @ weights.transpose(-2, -1)  # (B, g, N, d)
        return self.proj(out.transpose(1, 2).reshape(x.shape))
