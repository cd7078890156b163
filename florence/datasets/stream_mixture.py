"""Several streams in chosen proportions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import IterableDataset, get_worker_info

from florence.datasets.samplers.grouped_draws import GroupedDraws
from florence.datasets.samplers.mixture_sampler import mixture_weights
from florence.loading.number_hash import hash_numbers
from florence.loading.stream_share import StreamShare
from florence.registry import DATASETS

BLOCK = 1024


@DATASETS.register_module()
class StreamMixture(IterableDataset):
    """Draws usable samples from endless streams; each worker holds the proportions for itself.

    A bad sample is left out and counted by its source, whose next one takes its place, so faults do not change the proportions.

    Args:
        datasets: The sources, endless streams such as `WebDatasetPairs`, or their configs.
        weights: Share of each source, to any sum; or
        temperature: See `mixture_weights`; needs `sizes`.
        sizes: Samples in each source, for `temperature`.
        seed: Decides the order in which the sources take turns.

    Raises:
        ValueError: If the weights do not fit, or a source is no endless stream.
    """

    is_endless = True

    def __init__(
        self,
        datasets: Sequence[Mapping | IterableDataset],
        *,
        weights: Sequence[float] | None = None,
        temperature: float | None = None,
        sizes: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        if (sizes is None) != (temperature is None):
            raise ValueError('sizes and temperature of a StreamMixture go together: a stream does not know its size')
        self.datasets = [DATASETS.build(item) if isinstance(item, Mapping) else item for item in datasets]
        for source in self.datasets:
            if not getattr(source, 'is_endless', False):
                raise ValueError(f'a mixture needs endless streams, such as WebDatasetPairs with repeat=True, not {source!r}')
        sizes = [1] * len(self.datasets) if sizes is None else list(sizes)
        if len(sizes) != len(self.datasets):
            raise ValueError(f'{len(sizes)} sizes for {len(self.datasets)} sources: give one to each')
        self.weights = mixture_weights(sizes, weights, temperature)
        self.seed = seed
        self.metainfo: dict = {'dataset_type': type(self).__name__}

    def __iter__(self) -> Iterator[dict]:
        """Endless samples of this worker's share."""
        info = get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info else (0, 1)
        yield from self.read(StreamShare(*get_dist_info(), worker, num_workers), self.new_position())

    def new_position(self) -> dict:
        """Position before the first sample.

        Returns:
            `mixture`: what decides the turns; `draws`: samples drawn; `sources`: position of each source.
        """
        mixture = {'seed': self.seed, 'weights': list(self.weights)}
        return {'mixture': mixture, 'draws': 0, 'sources': [source.new_position() for source in self.datasets]}

    def check_position(self, position: dict) -> None:
        """Refuse the position of another mixture.

        Raises:
            ValueError: If sources, weights or seed are not those of the position.
        """
        expected = self.new_position()
        if position['mixture'] != expected['mixture'] or len(position['sources']) != len(expected['sources']):
            raise ValueError(
                f'the data position was saved with the mixture {position["mixture"]}, this run has {expected["mixture"]}: set it '
                'as it was, or start from the weights alone with --load-from'
            )
        for source, part in zip(self.datasets, position['sources']):
            source.check_position(part)

    def read(self, share: StreamShare, position: dict) -> Iterator[dict]:
        """Samples of a share from a position on.

        Args:
            share: Which part of each source.
            position: See `new_position`; brought up to date before each sample.
        """
        streams = [
            source.read(self._share_of(number, share), part)
            for number, (source, part) in enumerate(zip(self.datasets, position['sources']))
        ]
        for number in self._turns(share, position['draws']):
            sample = next(streams[number])
            position['draws'] += 1
            yield sample

    @staticmethod
    def _share_of(number: int, share: StreamShare) -> StreamShare:
        # Two sources at the same draw must not be augmented alike.
        seed = share.augmentation_seed
        return replace(share, augmentation_seed=None if seed is None else hash_numbers(seed, number))

    def _turns(self, share: StreamShare, draw: int) -> Iterator[int]:
        turns, seed = GroupedDraws([1] * len(self.weights), self.weights), hash_numbers(self.seed, share.rank, share.stream)
        while True:
            yield from turns.draw(np.arange(draw, draw + BLOCK, dtype=np.int64), seed)[0].tolist()
            draw += BLOCK
