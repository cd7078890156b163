"""One block of Dynamic Head (arXiv 2106.08322, section 3): spatial-aware, scale-aware and task-aware attention over a pyramid.

Axes: B batch, C channels, H, W of a level, h, w of a branch's own output.

Every level sums up to three branches: deformable convolutions of itself, of the next coarser level and of the next finer one
(with stride 2), all steered by the offsets and masks that one convolution predicts from the level itself. A branch's output is
normalised, brought to the level's size, and weighted by a gate that its mean decides. Follows the official code where it differs
from the paper: only neighbouring levels are mixed, and the scale gate weighs the branches after the spatial attention.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.deform_conv import ModulatedDeformConv2d
from florence.models.heads.dyhead_fusion import moments, sum_and_rectify
from florence.models.heads.dyrelu import DyReLU, hard_sigmoid

OFFSET_MODES = ('interp', 'official', 'upsample_first')
SCALE_RANGES = ('code', 'paper')
NUM_TAPS = 9

Size = tuple[int, int]


class SpatialBranch(nn.Module):
    """A 3 x 3 deformable convolution, and the normalisation of its output as an affine function.

    Args:
        in_channels: Channels of the pyramid.
        out_channels: C.
        stride: 1, or 2 for the branch of the finer level.
        bias: Bias of the convolution.
        norm_groups: Groups of the group normalisation; None for none.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, bias: bool, norm_groups: int | None) -> None:
        super().__init__()
        self.stride = stride
        self.conv = ModulatedDeformConv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=bias)
        # Its parameters are used, the module is not called: `florence.models.heads.dyhead_fusion` says why.
        self.norm = nn.GroupNorm(norm_groups, out_channels) if norm_groups else None

    def output_size(self, x: Tensor) -> Size:
        """`(h, w)` for a map `(B, C, H, W)`."""
        height, width = map_size(x)
        return (height - 1) // self.stride + 1, (width - 1) // self.stride + 1

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor, size: Size) -> 'BranchOutput':
        """Offsets `(B, 18, h, w)` and masks `(B, 9, h, w)` to a map of `size`."""
        x = self.conv(x, offset, mask)
        x, mean, variance = moments(x)
        slope, intercept = self._norm_line(mean, variance)
        if map_size(x) != size:
            mean = mean_of_resized(x.to(mean.dtype), size)
        return BranchOutput(resize(x, size), mean, slope, intercept)

    def _norm_line(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Slope and intercept of the normalisation from means and variances of each channel, all `(B, C)`."""
        if self.norm is None:
            return torch.ones_like(mean), torch.zeros_like(mean)
        by_group = (self.norm.num_groups, -1)
        group_mean = mean.unflatten(1, by_group).mean(2, keepdim=True)  # (B, groups, 1)
        between = (mean.unflatten(1, by_group) - group_mean).square()
        group_variance = (variance.unflatten(1, by_group) + between).mean(2, keepdim=True)
        slope = (group_variance + self.norm.eps).rsqrt() * self.norm.weight.view(by_group)  # (B, groups, C / groups)
        return slope.flatten(1), (self.norm.bias.view(by_group) - group_mean * slope).flatten(1)


class BranchOutput(NamedTuple):
    """A branch's convolution at the size of its level, `(B, C, H, W)`, and what follows from it, each `(B, C)`: mean of that map,
    slope and intercept of the normalisation, which act on the map alike before and after resizing."""

    x: Tensor
    mean: Tensor
    slope: Tensor
    intercept: Tensor


class ScaleGate(nn.Module):
    """Scale-aware attention: one factor per image from the mean of a branch.

    Args:
        channels: C.
        scale_range: 'code' for factors in [0.5, 1] as in the official code, 'paper' for [0, 1].
    """

    def __init__(self, channels: int, scale_range: str) -> None:
        super().__init__()
        self.scale_range = scale_range
        self.linear = nn.Linear(channels, 1)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, mean: Tensor) -> Tensor:
        """`(B, C)` to `(B, 1)`."""
        logit = self.linear(mean.to(self.linear.weight.dtype)).to(mean.dtype)
        return hard_sigmoid(F.relu(logit)) if self.scale_range == 'code' else ((logit + 1) / 2).clamp(0, 1)


class DyHeadBlock(nn.Module):
    """One block; see `florence.models.heads.dyhead.DyHead` for the arguments."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        offset_mode: str,
        dcn_bias: bool,
        norm_groups: int | None,
        zero_init_offset: bool,
        scale_range: str,
        task_attention: bool,
    ) -> None:
        super().__init__()
        self.offset_mode = offset_mode
        # A mask starts around a half; without a norm behind it the block would halve its maps.
        self.mask_scale = 1.0 if norm_groups else 2.0
        self.coarser = SpatialBranch(in_channels, out_channels, stride=1, bias=dcn_bias, norm_groups=norm_groups)
        self.own = SpatialBranch(in_channels, out_channels, stride=1, bias=dcn_bias, norm_groups=norm_groups)
        self.finer = SpatialBranch(in_channels, out_channels, stride=2, bias=dcn_bias, norm_groups=norm_groups)
        self.offset = nn.Conv2d(in_channels, 3 * NUM_TAPS, 3, padding=1)
        if zero_init_offset:
            for parameter in self.offset.parameters():
                nn.init.zeros_(parameter)
        self.scale_gate = ScaleGate(out_channels, scale_range)
        self.task_attention = DyReLU(out_channels) if task_attention else None

    def forward(self, *levels: Tensor) -> tuple[Tensor, ...]:
        """Maps `(B, C, H, W)` from fine to coarse to maps of the same sizes."""
        return tuple(self._level(levels, index) for index in range(len(levels)))

    def _level(self, levels: tuple[Tensor, ...], index: int) -> Tensor:
        own = levels[index]
        offset, mask = self._offset_and_mask(own)
        branches = [self._branch(self.own, own, offset, mask)]
        if index > 0:
            branches.append(self._branch(self.finer, levels[index - 1], offset, mask))
        if index + 1 < len(levels):
            coarser = levels[index + 1]
            if self.offset_mode == 'upsample_first':
                coarser = resize(coarser, map_size(own))
            branches.append(self._branch(self.coarser, coarser, offset, mask))
        return self._attend(branches)

    def _attend(self, branches: list[BranchOutput]) -> Tensor:
        """Scale-aware and task-aware attention: `(B, C, H, W)`."""
        with torch.autocast(branches[0].x.device.type, enabled=False):
            gates = [self.scale_gate(branch.mean * branch.slope + branch.intercept) / len(branches) for branch in branches]
            factors = torch.stack([gate * branch.slope for gate, branch in zip(gates, branches, strict=True)])  # (J, B, C)
            shift = sum(gate * branch.intercept for gate, branch in zip(gates, branches, strict=True))  # (B, C)
            mean = shift + sum(factor * branch.mean for factor, branch in zip(factors, branches, strict=True))
            lines = self.task_attention.lines(mean) if self.task_attention else relu_lines(mean)
            return sum_and_rectify([branch.x for branch in branches], factors, shift, lines)

    def _offset_and_mask(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, 18, H, W)` in pixels and `(B, 9, H, W)`, float32 at least, also under autocast: half precision has no fractions of
        a pixel beyond coordinates of a thousand."""
        with torch.autocast(x.device.type, enabled=False):
            dtype = torch.promote_types(self.offset.weight.dtype, torch.float32)
            weight, bias = (parameter.to(dtype) for parameter in self.offset.parameters())
            prediction = F.conv2d(x.to(dtype), weight, bias, padding=1)
            offset, logits = prediction.split([2 * NUM_TAPS, NUM_TAPS], dim=1)
            return offset, logits.sigmoid() * self.mask_scale

    def _branch(self, branch: SpatialBranch, source: Tensor, offset: Tensor, mask: Tensor) -> BranchOutput:
        """Brought to the size of the offsets."""
        own_size, size = map_size(offset), branch.output_size(source)
        if size != own_size:
            take = head_of_buffer if self.offset_mode == 'official' else resize_offset_and_mask
            offset, mask = take(offset, mask, size)
        return branch(source, offset, mask, own_size)


def map_size(x: Tensor) -> Size:
    """`(H, W)`."""
    return x.shape[2], x.shape[3]


def resize(x: Tensor, size: Size) -> Tensor:
    """Bilinear, corners on corners, as the official code."""
    if map_size(x) == size:
        return x
    return F.interpolate(x, size=size, mode='bilinear', align_corners=True)


def mean_of_resized(x: Tensor, size: Size) -> Tensor:
    """`(B, C)` means over the positions of `resize(x, size)`, from `x`, which is smaller."""
    # Resizing is a product with one matrix per axis; resized unit vectors are its columns.
    rows, columns = (
        F.interpolate(torch.eye(old, dtype=x.dtype, device=x.device)[None], size=new, mode='linear', align_corners=True)
        .mean(2)
        .squeeze(0)
        for old, new in zip(map_size(x), size, strict=True)
    )
    return (x * (rows[:, None] * columns)).sum((2, 3))


def relu_lines(like: Tensor) -> Tensor:
    """Lines whose maximum is a ReLU, `(4, B, C)`."""
    return torch.stack([torch.ones_like(like), *[torch.zeros_like(like)] * 3])


def resize_offset_and_mask(offset: Tensor, mask: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Offsets and masks for another grid over the same image; offsets are in pixels of that grid then."""
    ratios = [new / old for new, old in zip(size, map_size(offset), strict=True)]
    factor = offset.new_tensor(ratios).repeat(NUM_TAPS)[:, None, None]  # y and x of each tap
    return resize(offset, size) * factor, resize(mask, size)


def head_of_buffer(offset: Tensor, mask: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """What the official kernels read where the output is smaller than the offsets: the first numbers of each image's buffer, as
    if it had the output's size (microsoft/DynamicHead#25).

    Raises:
        ValueError: If the output is larger.
    """
    if size[0] * size[1] > offset[0, 0].numel():
        raise ValueError(
            f"offset_mode='official' needs levels that get smaller, but a branch of size {size} is steered from a level of size "
            f"{map_size(offset)}; use 'interp'"
        )
    offset, mask = (
        tensor.contiguous().flatten(1)[:, : tensor.shape[1] * size[0] * size[1]].unflatten(1, (tensor.shape[1], *size))
        for tensor in (offset, mask)
    )
    return offset, mask
