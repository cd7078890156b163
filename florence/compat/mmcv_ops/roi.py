"""RoIAlign (arXiv 1703.06870) on torchvision's kernels, RoIPool (arXiv 1504.08083) in torch.

RoIs are `(N, 5)`: image index, then `xyxy` in pixels of the input image. torchvision's RoIAlign equals mmcv's
average mode; no kernel of torchvision has the max mode. torchvision's RoIPool rounds the boxes, mmcv's does
not, hence our own.
"""

import torch
from torch import Tensor

from florence.compat.mmcv_ops.precision import widen

MAX_MODE = 0


def _check_mode(pool_mode: int) -> None:
    if pool_mode == MAX_MODE:
        raise RuntimeError(
            "mmcv's op 'roi_align' with pool_mode='max' is not served without mmcv's compiled extension; use "
            "pool_mode='avg' or install a compiled onedl-mmcv: `pip install --no-build-isolation onedl-mmcv` "
            'after torch, with a compiler.'
        )


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the pooled features into `output`, `(N, C, aligned_height, aligned_width)`.

    Raises:
        RuntimeError: In max mode.
    """
    import torchvision

    _check_mode(pool_mode)
    size = (aligned_height, aligned_width)
    features = widen(input)
    pooled = torchvision.ops.roi_align(features, rois.to(features.dtype), size, spatial_scale, sampling_ratio, aligned)
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of the features to `grad_input`, `(B, C, H, W)`."""
    import torchvision  # noqa: F401 (registers the kernel)

    _check_mode(pool_mode)
    grad = widen(grad_output)
    gradient = torch.ops.torchvision._roi_align_backward(
        grad,
        rois.to(grad.dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.add_(gradient)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write each bin's maximum into `output`, its flat position into `argmax`, both `(N, C, rows, columns)`.

    An empty bin yields 0 and position -1. So does a box without area, for which mmcv leaves position 0.
    """
    width = input.size(3)
    output.zero_()
    argmax.fill_(-1)
    for index, roi in enumerate(widen(rois)):
        rows = _bins(roi[2], roi[4], pooled_height, input.size(2), spatial_scale)
        columns = _bins(roi[1], roi[3], pooled_width, width, spatial_scale)
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                if top >= bottom or left >= right:
                    continue
                patch = input[int(roi[0]), :, top:bottom, left:right]
                output[index, :, i, j], position = patch.flatten(1).max(dim=1)
                row = top + position // (right - left)
                argmax[index, :, i, j] = (row * width + left + position % (right - left)).to(argmax.dtype)


def _bins(start: Tensor, end: Tensor, count: int, limit: int, spatial_scale: float) -> list[tuple[int, int]]:
    """First and past-the-last cell of `count` bins along an axis of `limit` cells; no bins without length."""
    start, end = start * spatial_scale, (end + 1) * spatial_scale
    if end <= start:
        return []
    size = (end - start) / count
    steps = torch.arange(count, device=start.device, dtype=start.dtype)
    first = (steps * size + start).floor().clamp(0, limit).long()
    last = ((steps + 1) * size + start).ceil().clamp(0, limit).long()
    return list(zip(first.tolist(), last.tolist(), strict=True))


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add each bin's gradient to `grad_input` `(B, C, H, W)` at the position that gave its maximum."""
    batch, channels, height, width = grad_input.shape
    image = rois[:, 0].long()[:, None, None, None]
    channel = torch.arange(channels, device=argmax.device)[:, None, None]
    flat = (image * channels + channel) * height * width + argmax  # (N, C, pooled_height, pooled_width)
    used = argmax >= 0
    gradient = torch.zeros(grad_input.numel(), dtype=widen(grad_output).dtype, device=grad_input.device)
    gradient.index_add_(0, flat[used], widen(grad_output)[used])
    grad_input.add_(gradient.view(batch, channels, height, width))
