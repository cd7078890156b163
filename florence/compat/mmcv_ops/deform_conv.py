"""Deformable convolution v1 (arXiv 1703.06211) and v2 (arXiv 1811.11168) on torchvision's kernels.

Axes: B batch, C channels, G deformable groups, K kernel taps, H, W of the input, h, w of the output. Offsets
are `(B, G * K * 2, h, w)`, y before x; masks `(B, G * K, h, w)`. Where mmcv differs from torchvision, this
follows mmcv:

* The modulated op takes offsets and masks with more positions than the output and reads the head of each
  sample's flat buffer as if it had the output's size. mmdet's DyHead relies on it
  (open-mmlab/mmdetection#11146).
* The bilinear sample at a coordinate of exactly -1 has derivative 0; torchvision takes the derivative from
  inside. With zero offsets and a padding of 1 every border tap lies there.

`im2col_step` only bounds the compiled op's workspace; the workspaces `columns` and `ones` stay unused.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from florence.compat.mmcv_ops.precision import widen


class _Geometry(NamedTuple):
    """Sizes of one convolution, each `(vertical, horizontal)`."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        sizes = zip((height, width), self.kernel, self.stride, self.padding, self.dilation, strict=True)
        rows, columns = ((n + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for n, k, stride, pad, dilation in sizes)
        return rows, columns

    def tap_grid(self, rows: int, columns: int, like: Tensor) -> Tensor:
        """Coordinates of every tap without offsets, `(K, 2, h, w)`, y before x."""
        axes = []
        for axis, count in enumerate((rows, columns)):
            taps = torch.arange(self.kernel[axis], device=like.device) * self.dilation[axis]
            starts = torch.arange(count, device=like.device) * self.stride[axis] - self.padding[axis]
            axes.append(taps[:, None] + starts)  # (kernel, count)
        y = axes[0][:, None, :, None].expand(*self.kernel, rows, columns)
        x = axes[1][None, :, None, :].expand(*self.kernel, rows, columns)
        return torch.stack([y, x], dim=2).flatten(0, 1).to(like.dtype)


def _head(buffer: Tensor, name: str, rows: int, columns: int) -> Tensor:
    """Head of each sample's flat `buffer` `(B, n, H', W')` as `(B, n, rows, columns)`."""
    batch, channels, height, width = buffer.shape
    if (height, width) == (rows, columns):
        return buffer
    needed = channels * rows * columns
    if height * width < rows * columns:
        raise ValueError(
            f'The {name} of a deformable convolution must cover the {rows} x {columns} positions of its '
            f'output, but it has {height} x {width}; compute it from a map of the size of the output.'
        )
    return buffer.flatten(1)[:, :needed].reshape(batch, channels, rows, columns)


def _add_to_head(buffer: Tensor, values: Tensor) -> None:
    """Add `values` to `buffer` at the places from which `_head` reads."""
    spread = values.new_zeros(len(buffer), buffer[0].numel())
    spread[:, : values[0].numel()] = values.flatten(1)
    buffer.add_(spread.view(buffer.shape))


def _forward(
    input: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    geometry: _Geometry,
) -> Tensor:
    import torchvision

    return torchvision.ops.deform_conv2d(
        widen(input),
        widen(offset),
        widen(weight),
        None if bias is None else widen(bias),
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        mask=None if mask is None else widen(mask),
    )


def _backward(
    grad_output: Tensor,
    input: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    geometry: _Geometry,
    group: int,
    deformable_group: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, weight, offset, mask and bias."""
    import torchvision  # noqa: F401 (registers the kernel)

    grad_output, input, offset, weight = (widen(tensor) for tensor in (grad_output, input, offset, weight))
    grad_input, grad_weight, grad_offset, grad_mask, grad_bias = torch.ops.torchvision._deform_conv2d_backward(
        grad_output.contiguous(),
        input.contiguous(),
        weight.contiguous(),
        offset.contiguous(),
        input.new_zeros(len(input), 1) if mask is None else widen(mask).contiguous(),
        weight.new_zeros(len(weight)),
        *geometry.stride,
        *geometry.padding,
        *geometry.dilation,
        group,
        deformable_group,
        mask is not None,
    )
    rows, columns = grad_output.shape[2:]
    taps = geometry.tap_grid(rows, columns, like=offset)
    by_tap = (len(offset), deformable_group, *taps.shape)  # (B, G, K, 2, h, w)
    outside = offset.reshape(by_tap) + taps == -1
    grad_offset = grad_offset.view(by_tap).masked_fill(outside, 0).view_as(offset)
    return grad_input, grad_weight, grad_offset, grad_mask, grad_bias


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Write the convolution of `input` `(B, C, H, W)` into `output`; `d` is the stride."""
    geometry = _Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW))
    output.copy_(_forward(input, offset, None, weight, None, geometry))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Add the gradient of the input to `gradInput`, write that of the offset to `gradOffset`."""
    geometry = _Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW))
    grad_input, _, grad_offset, _, _ = _backward(gradOutput, input, offset, None, weight, geometry, group, deformable_group)
    gradInput.add_(grad_input)
    gradOffset.copy_(grad_offset)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add `scale` times the gradient of the weight to `gradWeight`, on whose values it does not depend."""
    geometry = _Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW))
    _, grad_weight, _, _, _ = _backward(gradOutput, input, offset, None, gradWeight, geometry, group, deformable_group)
    gradWeight.add_(grad_weight.to(gradWeight.dtype), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Write the modulated convolution of `input` `(B, C, H, W)` into `output`.

    Raises:
        ValueError: If `offset` or `mask` has fewer positions than the output.
    """
    geometry = _Geometry((kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w))
    size = geometry.output_size(*input.shape[2:])
    offset, mask = _head(offset, 'offset', *size), _head(mask, 'mask', *size)
    output.copy_(_forward(input, offset, mask, weight, bias if with_bias else None, geometry))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Add the gradients of `modulated_deform_conv_forward` to the `grad_` tensors of the inputs' shapes."""
    geometry = _Geometry((kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w))
    size = geometry.output_size(*input.shape[2:])
    gradients = _backward(
        grad_output,
        input,
        _head(offset, 'offset', *size),
        _head(mask, 'mask', *size),
        weight,
        geometry,
        group,
        deformable_group,
    )
    grad_input.add_(gradients[0])
    grad_weight.add_(gradients[1])
    _add_to_head(grad_offset, gradients[2])
    _add_to_head(grad_mask, gradients[3])
    if with_bias:
        grad_bias.add_(gradients[4])
