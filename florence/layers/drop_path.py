"""Stochastic depth (arXiv 1603.09382): a residual branch is dropped for whole samples during training."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Zeroes a sample's branch with probability `drop_prob` and scales the kept ones by
    `1 / (1 - drop_prob)`.

    Args:
        drop_prob: Probability in `[0, 1)`; 0 passes the input through.

    Raises:
        ValueError: If `drop_prob` is outside `[0, 1)`.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= drop_prob < 1.0:
            raise ValueError(f'drop path rate must lie in [0, 1), got {drop_prob}.')
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Samples along the first dimension of `x`, `(B, ...)`."""
        if not self.training or self.drop_prob == 0.0:
            return x
        keep_prob = 1.0 - self.drop_prob
        kept = torch.empty((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(keep_prob)
        return x * kept.div_(keep_prob)

    def extra_repr(self) -> str:
        return f'drop_prob={self.drop_prob}'


def drop_path_rates(max_rate: float, depths: tuple[int, ...] | list[int]) -> list[list[float]]:
    """Rates that rise linearly from 0 at the first block to `max_rate` at the last, one list per stage."""
    num_blocks = sum(depths)
    rates = [max_rate * index / max(num_blocks - 1, 1) for index in range(num_blocks)]
    starts = [sum(depths[:stage]) for stage in range(len(depths))]
    return [rates[start : start + depth] for start, depth in zip(starts, depths, strict=True)]
