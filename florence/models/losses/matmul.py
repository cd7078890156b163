"""Products of tiles of embeddings with sums in fp32 (fp64 for fp64), on the fastest kernel that torch offers for them.

On CPU this is oneDNN's, which multiplies float32 matrices more than twice as fast as MKL on processors that are not Intel's
(see `florence.layers.linear`); on CUDA half-precision factors keep tensor cores without a rounded result.
"""

import torch
from torch import Tensor


def product(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b`, `(R, K)` times `(K, C)` of any strides, fp32 for half precision."""
    if _onednn_serves(a):
        return torch.ops.mkldnn._linear_pointwise(a, b.t(), None, 'none', [], '')
    if a.dtype in (torch.float32, torch.float64):
        return a @ b
    if a.is_cuda and hasattr(torch.ops.aten.mm, 'dtype'):  # torch >= 2.8
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def add_product_(out: Tensor, a: Tensor, b: Tensor) -> None:
    """`out += a @ b` in place, `out` in the precision of the sums."""
    if _onednn_serves(a):
        # oneDNN copies a transposed first factor: a is the tile, b the smaller one.
        out.add_(product(a, b) if a.is_contiguous() else product(b.t(), a.t()).t())
    elif a.dtype == out.dtype:
        out.addmm_(a, b)
    else:
        out.add_(product(a, b))


def _onednn_serves(x: Tensor) -> bool:
    return bool(
        x.device.type == 'cpu'
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
    )
