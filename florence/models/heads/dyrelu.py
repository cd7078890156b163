"""Task-aware attention of Dynamic Head (arXiv 2106.08322, equation 5): a dynamic ReLU (arXiv 2003.10027), whose two lines depend
on the mean of the map.

Follows the official code where it differs from the paper: the coefficients come from two linear layers and a hard sigmoid
without normalisation, slopes lie in [0, 2] and [-1, 1], intercepts in [-0.5, 0.5]. The linear layers start near zero, where this
is a ReLU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.registry import MODELS

# Scale and shift of the hard sigmoid's [0, 1] for slope 1, intercept 1, slope 2, intercept 2.
SCALES = (2.0, 1.0, 2.0, 1.0)
SHIFTS = (0.0, -0.5, -1.0, -0.5)


def hard_sigmoid(x: Tensor) -> Tensor:
    """0 below -3, 1 above 3, and a line between; `torch.nn.functional.hardsigmoid` takes a sixth in float32, even of float64."""
    return (x + 3).clamp(0, 6) / 6


@MODELS.register_module()
class DyReLU(nn.Module):
    """Larger one of two lines per channel; the lines follow from the mean over all positions.

    Args:
        channels: C.
        ratio: C over the hidden width.
    """

    def __init__(self, channels: int, *, ratio: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio)
        self.excite = nn.Linear(channels // ratio, 4 * channels)
        for layer in (self.squeeze, self.excite):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def lines(self, mean: Tensor) -> Tensor:
        """`(B, C)` means of the map to slope, intercept, slope, intercept, `(4, B, C)`."""
        logits = self.excite(F.relu(self.squeeze(mean.to(self.squeeze.weight.dtype)))).to(mean.dtype)
        gates = hard_sigmoid(logits).unflatten(1, (4, -1)).movedim(1, 0)
        return gates * gates.new_tensor(SCALES)[:, None, None] + gates.new_tensor(SHIFTS)[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, ...)` to the same shape; after RoI pooling `(R, C)`."""
        mean = x.flatten(2).mean(2) if x.ndim > 2 else x
        slope1, intercept1, slope2, intercept2 = self.lines(mean).view(4, *mean.shape, *[1] * (x.ndim - 2))
        return torch.maximum(x * slope1 + intercept1, x * slope2 + intercept2)
