"""Fixed sine positions of the cells of a feature map, in two dimensions (DETR, arXiv 2005.12872, appendix A.4)."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def sine_positions(height: int, width: int, embed_dims: int) -> Tensor:
    """Position codes, `(height * width, embed_dims)` fp32, row by row; half of the width tells the row, half the column.

    Places are relative to the size of the map, so that maps of different resolution agree on where a thing is.

    Args:
        height, width: Size of the map, cells.
        embed_dims: A multiple of 4.

    Raises:
        ValueError: If `embed_dims` is no multiple of 4.
    """
    if embed_dims % 4:
        raise ValueError(f'grid positions need a width that is a multiple of 4, got {embed_dims}.')
    rows, columns = _codes(height, embed_dims // 2), _codes(width, embed_dims // 2)
    grid = [rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)]
    return torch.cat(grid, -1).flatten(0, 1)  # (H, W, D) -> (H W, D)


def _codes(length: int, dims: int) -> Tensor:
    place = (torch.arange(length) + 0.5) / length * 2 * torch.pi
    frequency = 2.0 ** (torch.arange(dims // 2) * 6 / max(dims // 2 - 1, 1))  # 1 to 64 periods of an image
    angle = place[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)
