"""Layer normalisation computed in float32 whatever the storage (Florence, arXiv 2111.11432, section 2.7:
LayerNorm is an fp32 operation under mixed precision).

Differs from `torch.nn.LayerNorm` under half precision only: CPU autocast and casted (DeepSpeed) weights would
otherwise run it in bf16.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class Fp32LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` with float32 (or wider) arithmetic.

    Weights may be stored in half or full precision; the output has the input's dtype.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalises over the last dimension; any leading shape."""
        weight_dtype = input.dtype if self.weight is None else self.weight.dtype
        if input.dtype.itemsize >= 4 and weight_dtype == input.dtype:
            return super().forward(input)
        weight = None if self.weight is None else self.weight.float()
        bias = None if self.bias is None else self.bias.float()
        return F.layer_norm(input.float(), self.normalized_shape, weight, bias, self.eps).to(input.dtype)
