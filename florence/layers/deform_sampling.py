"""Where a modulated deformable convolution samples, and with which weights (arXiv 1811.11168, equation 1).

Axes: B batch, K kernel taps, H, W of the input, h, w of the output, N = B * h * w * K samples in that order. A sample lies
between four pixels, its corners: two rows by two columns.

Differs from torchvision's kernel as mmcv's does: a sample at a coordinate of exactly -1 counts as outside, so that its derivative
is 0. With zero offsets and a padding of 1 every border tap lies there.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ConvGeometry(NamedTuple):
    """Sizes of one convolution, each `(vertical, horizontal)`."""

    input_size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def output_size(self) -> tuple[int, int]:
        """`(h, w)`."""
        return _output_length(self, 0), _output_length(self, 1)

    @property
    def num_taps(self) -> int:
        """K."""
        return self.kernel[0] * self.kernel[1]

    def tap_grid(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Rows `(h, 1, K)` and columns `(w, K)` of the samples without offsets."""
        axes = []
        for axis, length in enumerate(self.output_size):
            start = torch.arange(length, device=like.device, dtype=like.dtype) * self.stride[axis] - self.padding[axis]
            taps = torch.arange(self.kernel[axis], device=like.device, dtype=like.dtype) * self.dilation[axis]
            axes.append((start, taps))
        (row, tap_row), (column, tap_column) = axes
        tap_row = tap_row.repeat_interleave(self.kernel[1])  # (K,)
        tap_column = tap_column.repeat(self.kernel[0])  # (K,)
        return row[:, None, None] + tap_row, column[:, None] + tap_column


def _output_length(geometry: ConvGeometry, axis: int) -> int:
    reach = geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1
    return (geometry.input_size[axis] + 2 * geometry.padding[axis] - reach) // geometry.stride[axis] + 1


class _Neighbours(NamedTuple):
    """The two pixels around each sample along one axis, each `(N,)`: its number, its bilinear weight, and the slope of that."""

    pixel: tuple[Tensor, Tensor]
    weight: tuple[Tensor, Tensor]
    slope: tuple[Tensor, Tensor]


class Samples(NamedTuple):
    """Samples of one convolution.

    Attributes:
        corners: Rows of the `(B * H * W, C)` table that hold the corners, `(N, 4)`; a corner outside of the map has any row of
            the table, and weight 0.
        weight: Bilinear weight times mask, `(N, 4)`.
        mask: `(N,)`.
        rows: Neighbours along the vertical axis.
        columns: Neighbours along the horizontal axis.
    """

    corners: Tensor
    weight: Tensor
    mask: Tensor
    rows: _Neighbours
    columns: _Neighbours


def locate_samples(offset: Tensor, mask: Tensor, geometry: ConvGeometry) -> Samples:
    """Corners and weights of all samples.

    Args:
        offset: Displacement of each tap in pixels of the input, y before x, `(B, K * 2, h, w)`.
        mask: Modulation of each tap, `(B, K, h, w)`.
        geometry: Sizes of the convolution.
    """
    batch, (height, width) = len(offset), geometry.input_size
    by_tap = offset.permute(0, 2, 3, 1).unflatten(3, (geometry.num_taps, 2))  # (B, h, w, K, 2)
    grid_y, grid_x = geometry.tap_grid(offset)
    rows = _neighbours((by_tap[..., 0] + grid_y).flatten(), height)
    columns = _neighbours((by_tap[..., 1] + grid_x).flatten(), width)
    modulation = mask.permute(0, 2, 3, 1).flatten()
    image_start = torch.arange(batch, device=offset.device, dtype=_index_dtype(batch * height * width)) * (height * width)
    image_start = image_start.repeat_interleave(len(modulation) // max(batch, 1))
    starts = [pixel * width + image_start for pixel in rows.pixel]
    weights = [weight * modulation for weight in rows.weight]
    corners = torch.stack([start + pixel for start in starts for pixel in columns.pixel], dim=1)
    weight = torch.stack([row * column for row in weights for column in columns.weight], dim=1)
    return Samples(corners, weight, modulation, rows, columns)


def sampling_gradients(grad_weight: Tensor, samples: Samples, geometry: ConvGeometry) -> tuple[Tensor, Tensor]:
    """Gradients of offset and mask from those of the samples' weights without the mask.

    Args:
        grad_weight: Gradient of each corner's value times its bilinear weight by that weight, `(N, 4)`.
        samples: As `locate_samples` gave them.
        geometry: Sizes of the convolution.

    Returns:
        `(B, K * 2, h, w)` and `(B, K, h, w)`.
    """
    left_top, right_top, left_bottom, right_bottom = grad_weight.unbind(1)
    (top, bottom), (left, right) = samples.rows.weight, samples.columns.weight
    by_row = left_top * left + right_top * right, left_bottom * left + right_bottom * right
    by_column = left_top * top + left_bottom * bottom, right_top * top + right_bottom * bottom
    grad_mask = by_row[0] * top + by_row[1] * bottom
    grad_y = (by_row[0] * samples.rows.slope[0] + by_row[1] * samples.rows.slope[1]) * samples.mask
    grad_x = (by_column[0] * samples.columns.slope[0] + by_column[1] * samples.columns.slope[1]) * samples.mask
    shape = (-1, *geometry.output_size, geometry.num_taps)
    grad_offset = torch.stack([grad_y, grad_x], dim=1).view(*shape, 2).flatten(3)  # (B, h, w, K * 2)
    return grad_offset.permute(0, 3, 1, 2), grad_mask.view(shape).permute(0, 3, 1, 2)


def _neighbours(coordinate: Tensor, length: int) -> _Neighbours:
    low = coordinate.floor()
    fraction = coordinate - low
    # As numbers, so that a coordinate that is not finite gives a weight that is not finite.
    low_inside = ((low >= 0) & (low < length)).to(coordinate.dtype)
    high_inside = ((coordinate > -1) & (low < length - 1)).to(coordinate.dtype)
    # Clamped as integers: conversion of what is not finite gives some integer.
    pixel = low.to(torch.int32)
    return _Neighbours(
        (pixel.clamp(0, length - 1), (pixel + 1).clamp(0, length - 1)),
        ((1 - fraction) * low_inside, fraction * high_inside),
        (-low_inside, high_inside),
    )


def _index_dtype(num_rows: int) -> torch.dtype:
    return torch.int32 if num_rows <= torch.iinfo(torch.int32).max else torch.int64
