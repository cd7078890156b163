"""The copies inside mmcv's masked convolution, a stride-1 convolution at chosen positions only."""

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Write the window of each of P positions of `im` `(1, C, H, W)` into `col` `(C * kernel size, P)`."""
    # the padding at the end covers windows that reach past the usual padding
    padded = F.pad(im[0], (pad_w, kernel_w, pad_h, kernel_h))
    rows = mask_h_idx + torch.arange(kernel_h, device=im.device)[:, None, None]
    columns = mask_w_idx + torch.arange(kernel_w, device=im.device)[:, None]
    col.copy_(padded[:, rows, columns].flatten(0, 2))  # (C, kernel_h, kernel_w, P) -> (C * kernel_h * kernel_w, P)


def masked_col2im_forward(
    col: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor, im: Tensor, height: int, width: int, channels: int
) -> None:
    """Write column p of `col` `(C, P)` to the p-th position of `im` `(1, C, height, width)`."""
    assert im.shape[1:] == (channels, height, width)
    im[0][:, mask_h_idx, mask_w_idx] = col
