"""A start for location tokens in which places that are near each other look alike.

Florence-2 begins with 1,000 unrelated rows and learns their order from 126 M images. A small model on little data need not: its
rows begin as a random smooth curve, with as much variance as the other tokens have.
"""

import torch
from torch import Tensor

NUM_FREQUENCIES = 32
"""Half waves along the axis of the finest wave: places closer than about a thirtieth of the image look alike."""


@torch.no_grad()
def smooth_rows_(table: Tensor, ids: Tensor) -> None:
    """Give tokens that follow each other similar embeddings, in place.

    Args:
        table: Embeddings, `(V, D)`.
        ids: Rows of the tokens, in the order of their places, `(N,)`.
    """
    device = table.device
    frequencies = torch.arange(1, NUM_FREQUENCIES + 1, device=device)
    places = torch.linspace(0, torch.pi, len(ids), device=device)[:, None] * frequencies  # (N, frequencies)
    waves = torch.cat([places.sin(), places.cos()], 1)  # (N, 2 frequencies), the squares of a row sum to `NUM_FREQUENCIES`
    directions = torch.randn(waves.shape[1], table.shape[1], device=device) * table.std() / NUM_FREQUENCIES**0.5
    table[ids.to(device)] = (waves @ directions).to(table.dtype)
