"""Several data sets in chosen proportions."""

import math
from collections.abc import Sequence

import numpy as np
from torch.utils.data import ConcatDataset

from florence.datasets.samplers.grouped_draws import GroupedDraws
from florence.datasets.samplers.position_sampler import PositionSampler
from florence.loading.number_hash import IntArray
from florence.registry import DATA_SAMPLERS


def mixture_weights(sizes: Sequence[int], weights: Sequence[float] | None, temperature: float | None) -> list[float]:
    """Shares of the sources of a mixture, summing to 1.

    Args:
        sizes: Samples in each source.
        weights: The shares themselves, to any sum; or
        temperature: They are in proportion to `size ** (1 / temperature)`: 1 = as if the sources were one set, larger values
            favour small sources, infinity makes all equal.

    Raises:
        ValueError: If not exactly one of the two is given, or it is out of range, or there are not as many weights as sources.
    """
    if (weights is None) == (temperature is None):
        raise ValueError(f'a mixture needs either weights or a temperature, got weights={weights} and temperature={temperature}')
    if weights is None:
        if not temperature > 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        weights = [size ** (1 / temperature) for size in sizes]
    if len(weights) != len(sizes):
        raise ValueError(f'{len(weights)} weights for {len(sizes)} sources: give one to each')
    if not all(weight > 0 and math.isfinite(weight) for weight in weights):
        raise ValueError(f'weights must be positive numbers, got {list(weights)}: leave a source that is not wanted out')
    return [weight / sum(weights) for weight in weights]


@DATA_SAMPLERS.register_module()
class MixtureSampler(PositionSampler):
    """Draws from the parts of a `ConcatDataset` in exact proportions.

    Within a part each sample is read once per pass over that part; small parts repeat more often. See `GroupedDraws`.

    Args:
        dataset: A `ConcatDataset`.
        weights: Share of each part, to any sum; or
        temperature: See `mixture_weights`.
        seed: See `PositionSampler`.

    Raises:
        ValueError: If the data set has no parts, a part is empty, or the weights do not fit.
    """

    def __init__(
        self,
        dataset: ConcatDataset,
        *,
        weights: Sequence[float] | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> None:
        if not hasattr(dataset, 'cumulative_sizes'):
            raise ValueError(f'MixtureSampler mixes the parts of a ConcatDataset, {type(dataset).__name__} has no parts')
        super().__init__(dataset, seed)
        ends = np.asarray(dataset.cumulative_sizes, dtype=np.int64)
        sizes = np.diff(ends, prepend=0)
        if not sizes.all():
            raise ValueError(f'part {int(sizes.argmin())} of the mixture is empty, the sizes are {sizes.tolist()}')
        self._starts = ends - sizes
        self._draws = GroupedDraws(sizes, mixture_weights(sizes.tolist(), weights, temperature))

    def index_at(self, positions: IntArray) -> IntArray:
        """See `PositionSampler`."""
        parts, members = self._draws.draw(positions, self.seed)
        return self._starts[parts] + members
