"""Rare classes as often as frequent ones, or nearer to it."""

from collections.abc import Sized

import numpy as np

from florence.datasets.sample_texts import texts_of
from florence.datasets.samplers.grouped_draws import GroupedDraws
from florence.datasets.samplers.position_sampler import PositionSampler
from florence.loading.number_hash import IntArray
from florence.registry import DATA_SAMPLERS
from florence.tasks.text_hash import text_label

LABELS = ('gt_label', 'label')


def read_labels(dataset: Sized, by: str) -> IntArray:
    """Label of every sample, from the annotations alone: no image is opened.

    Args:
        dataset: Has `get_data_info(index)`.
        by: `'gt_label'`: the class; `'label'`: the identity of the text, as `HashTextLabel` sets it.

    Returns:
        `(N,)` int64.

    Raises:
        ValueError: If the annotations have no such label, or several.
    """
    if by not in LABELS:
        raise ValueError(f'by must be one of {", ".join(LABELS)}, not {by!r}')
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} has no get_data_info(index): balanced sampling needs its annotations')
    return np.fromiter((_label(dataset.get_data_info(i), by, i) for i in range(len(dataset))), np.int64, len(dataset))


def _label(info: dict, by: str, index: int) -> int:
    if by in info:
        return int(info[by])
    if by == 'gt_label':
        raise ValueError(f'sample {index} has no gt_label, its annotation holds {", ".join(info)}')
    texts = texts_of(info)
    if len(texts) != 1:
        raise ValueError(f'sample {index} has {len(texts)} texts: balancing by text needs exactly one')
    return text_label(texts[0])


@DATA_SAMPLERS.register_module()
class BalancedSampler(PositionSampler):
    """Draws classes in proportion to `count ** (1 - power)`, and within a class each sample once per pass over it.

    Args:
        dataset: Has `get_data_info(index)`.
        by: See `read_labels`.
        power: 1 = all classes equally often; 0 = as often as they are; between them, partly balanced.
        seed: See `PositionSampler`.

    Raises:
        ValueError: If `power` is out of range, or the annotations have no such label.
    """

    def __init__(self, dataset: Sized, *, by: str = 'gt_label', power: float = 1.0, seed: int | None = None) -> None:
        if not 0 <= power <= 1:
            raise ValueError(f'power must lie in [0, 1], got {power}')
        super().__init__(dataset, seed)
        labels = read_labels(dataset, by)
        counts = np.unique(labels, return_counts=True)[1]
        self._members = np.argsort(labels, kind='stable')
        self._starts = np.cumsum(counts) - counts
        self._draws = GroupedDraws(counts, counts.astype(np.float64) ** (1 - power))

    def index_at(self, positions: IntArray) -> IntArray:
        """See `PositionSampler`."""
        classes, members = self._draws.draw(positions, self.seed)
        return self._members[self._starts[classes] + members]
