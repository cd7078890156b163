"""Modulated deformable convolution (DCNv2, arXiv 1811.11168) in plain PyTorch, faster on CPU than the compiled kernels.

Axes: B batch, C channels, O output channels, K kernel taps, H, W of the input, h, w of the output.

The columns of a few hundred output positions are gathered from the channels-last map with one weighted embedding bag (bilinear
weights and indices are computed once for all channels), multiplied with the kernel while they are in cache, and never stored:
the backward gathers them again. The gradient of the map is a gather as well, over the samples sorted by pixel, the same on every
run. The kernels of torchvision and mmcv compute bilinear weights once per channel, on one thread of a CPU, store all columns, and
add gradients one by one, on a GPU in any order.

Positions and bilinear weights are float32 at least; under autocast only the product of columns and kernel takes its type. The
conventions are torchvision's `deform_conv2d` with one group and one offset group, and mmcv's at a coordinate of -1
(`florence.layers.deform_sampling`).
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.utils import _pair

from florence.layers.deform_sampling import ConvGeometry, Samples, locate_samples, sampling_gradients

# Elements of the columns that exist at a time: what stays in a core's share of the cache, and on a GPU what fills it.
CPU_COLUMNS = 2**20
CUDA_COLUMNS = 2**28

Size = int | tuple[int, int]


def modulated_deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
) -> Tensor:
    """Convolution whose taps are displaced by `offset` and scaled by `mask`; fastest where all are channels-last.

    Args:
        x: `(B, C, H, W)`.
        offset: Displacement of each tap in pixels of `x`, y before x, `(B, K * 2, h, w)`.
        mask: Factor of each tap, `(B, K, h, w)`.
        weight: `(O, C, *kernel)`.
        bias: `(O,)`.
        stride: Vertical and horizontal, or both.
        padding: Likewise; zeros.
        dilation: Likewise.

    Returns:
        `(B, O, h, w)`, channels-last, in the type of `weight` or of autocast.

    Raises:
        ValueError: If `offset`, `mask` or `weight` does not have the shape that the others ask for.
    """
    kernel = (weight.shape[2], weight.shape[3])
    geometry = ConvGeometry((x.shape[2], x.shape[3]), kernel, _pair(stride), _pair(padding), _pair(dilation))
    _check(x, offset, mask, weight, geometry)
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    with torch.autocast(device, enabled=False):
        return _ModulatedDeformConv.apply(x, offset, mask, weight, bias, geometry, dtype)


class ModulatedDeformConv2d(nn.Module):
    """`modulated_deform_conv2d` with its parameters, initialised as mmcv's and the official DCNv2: uniform, bias zero.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: Vertical and horizontal, or both.
        stride: Likewise.
        padding: Likewise; zeros.
        bias: Learn a bias.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, *, stride: Size = 1, padding: Size = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        weight = torch.empty(out_channels, in_channels, *_pair(kernel_size))
        # Channels-last, so that the product takes the weights as they lie.
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        bound = 1 / math.sqrt(weight[0].numel())
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """`(B, C, H, W)`, offsets `(B, K * 2, h, w)` and masks `(B, K, h, w)` to `(B, O, h, w)`."""
        return modulated_deform_conv2d(x, offset, mask, self.weight, self.bias, self.stride, self.padding)


def _check(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, geometry: ConvGeometry) -> None:
    if weight.shape[1] != x.shape[1]:
        raise ValueError(f'the kernel takes {weight.shape[1]} channels, the map has {x.shape[1]}')
    if min(geometry.output_size) < 1:
        raise ValueError(f'a map of {tuple(x.shape[2:])} pixels is smaller than the kernel, {geometry.kernel}, with its dilation')
    for name, tensor, channels in (('offset', offset, 2 * geometry.num_taps), ('mask', mask, geometry.num_taps)):
        expected = (len(x), channels, *geometry.output_size)
        if tuple(tensor.shape) != expected:
            raise ValueError(f'the {name} of this convolution must have shape {expected}, not {tuple(tensor.shape)}')


class _ModulatedDeformConv(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx,
        x: Tensor,
        offset: Tensor,
        mask: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: ConvGeometry,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.geometry, ctx.dtype, ctx.bias_dtype = geometry, dtype, None if bias is None else bias.dtype
        table, samples = _table(x), locate_samples(_precise(offset), _precise(mask), geometry)
        kernel = _flat_kernel(weight, dtype)
        bias = None if bias is None else bias.to(dtype)
        output = table.new_empty(len(x), *geometry.output_size, len(weight), dtype=dtype)  # (B, h, w, O)
        rows = output.view(-1, len(weight))
        for part in _parts(samples, geometry, table):
            rows[part.span] = _product(part.columns(table).to(dtype), kernel, bias)
        return output.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, offset, mask, weight = ctx.saved_tensors
        geometry, dtype = ctx.geometry, ctx.dtype
        needs_x, needs_offset, needs_mask, needs_weight, needs_bias = ctx.needs_input_grad[:5]
        table, samples = _table(x), locate_samples(_precise(offset), _precise(mask), geometry)
        kernel_by_column = _flat_kernel(weight, dtype).t()
        grad_rows = grad_output.permute(0, 2, 3, 1).reshape(-1, len(weight))  # (B * h * w, O)
        grad_table = torch.zeros_like(table) if needs_x else None
        grad_kernel = table.new_zeros(kernel_by_column.t().shape) if needs_weight else None
        # What comes back from the corners' weights holds neither the weights nor the mask.
        grad_weight = torch.empty_like(samples.weight) if needs_offset or needs_mask else None
        for part in _parts(samples, geometry, table):
            grad = grad_rows[part.span].to(dtype)
            grad_columns = None
            if grad_table is not None or grad_weight is not None:
                grad_columns = _product(grad, kernel_by_column).to(table.dtype).view(-1, table.shape[1])  # (n * K, C)
            if grad_kernel is not None or grad_weight is not None:
                part.backward_columns(table, grad, grad_columns, grad_kernel, grad_weight)
            if grad_table is not None and grad_columns is not None:
                part.scatter(grad_columns, grad_table)
        results: list[Tensor | None] = [None] * 7
        if grad_table is not None:
            results[0] = grad_table.view(len(x), *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2).to(x.dtype)
        if grad_weight is not None:
            grad_offset, grad_mask = sampling_gradients(grad_weight, samples, geometry)
            results[1], results[2] = grad_offset.to(offset.dtype), grad_mask.to(mask.dtype)
        if grad_kernel is not None:
            by_tap = grad_kernel.view(len(weight), *geometry.kernel, -1)  # (O, *kernel, C)
            results[3] = by_tap.permute(0, 3, 1, 2).to(weight.dtype)
        if needs_bias:
            results[4] = grad_rows.sum(0, dtype=table.dtype).to(ctx.bias_dtype)
        return tuple(results)


class _Part:
    """Consecutive output positions with their samples."""

    def __init__(self, span: slice, sample_span: slice, samples: Samples) -> None:
        self.span, self.sample_span = span, sample_span
        self.corners, self.weight = samples.corners[sample_span], samples.weight[sample_span]

    def columns(self, table: Tensor) -> Tensor:
        """`(n, K * C)`."""
        return _gather(self.corners, table, self.weight).view(self.span.stop - self.span.start, -1)

    def backward_columns(
        self, table: Tensor, grad: Tensor, grad_columns: Tensor | None, grad_kernel: Tensor | None, grad_weight: Tensor | None
    ) -> None:
        """Add to the gradient of the kernel, and write that of the corners' weights."""
        with torch.enable_grad():
            corner_weights = self.weight.detach().requires_grad_(grad_weight is not None)
            samples = _gather(self.corners, table, corner_weights)  # (n * K, C)
        if grad_kernel is not None:
            columns = samples.detach().view(len(grad), -1).to(grad.dtype)
            grad_kernel += _product(grad.t(), columns.t())
        if grad_weight is not None:
            grad_weight[self.sample_span] = torch.autograd.grad(samples, corner_weights, grad_columns)[0]

    def scatter(self, grad_columns: Tensor, grad_table: Tensor) -> None:
        """Add the gradient of the map: for each pixel the sum over the samples that read it."""
        pixels, order = self.corners.flatten().sort(stable=True)
        # On a GPU to ask for the range would wait for it.
        first, last = (int(pixels[0]), int(pixels[-1])) if pixels.device.type == 'cpu' else (0, len(grad_table) - 1)
        starts = torch.searchsorted(pixels, torch.arange(first, last + 1, dtype=pixels.dtype, device=pixels.device))
        weights = self.weight.flatten()[order]
        grad_table[first : last + 1] += F.embedding_bag(order >> 2, grad_columns, starts, mode='sum', per_sample_weights=weights)


def _parts(samples: Samples, geometry: ConvGeometry, table: Tensor) -> Iterator[_Part]:
    num_taps = geometry.num_taps
    num_positions = len(samples.mask) // num_taps
    limit = CPU_COLUMNS if table.device.type == 'cpu' else CUDA_COLUMNS
    step = max(1, limit // (num_taps * table.shape[1]))
    for start in range(0, num_positions, step):
        stop = min(start + step, num_positions)
        yield _Part(slice(start, stop), slice(start * num_taps, stop * num_taps), samples)


def _gather(corners: Tensor, table: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(corners, table, mode='sum', per_sample_weights=weights)


def _table(x: Tensor) -> Tensor:
    """`(B, C, H, W)` to `(B * H * W, C)`, a view where `x` is channels-last."""
    return _precise(x).permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _precise(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _flat_kernel(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """`(O, C, *kernel)` to `(O, K * C)`."""
    return weight.to(dtype).permute(0, 2, 3, 1).reshape(len(weight), -1)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.t() + bias` on the fastest kernel (see `florence.layers.linear`)."""
    served = x.device.type == 'cpu' and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    if served and torch.backends.mkldnn.enabled and x.numel() > 0:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'none', [], '')
    return F.linear(x, weight, bias)
