"""Where a training stands in its data: what a checkpoint must hold so that the next batch is the next batch."""

import logging
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import DataLoader

from florence.loading.positioned_batch import PositionedBatch
from florence.loading.positioned_batches import PositionedBatchSampler
from florence.loading.positioned_stream import PositionedStream
from florence.loading.resumable_loader import num_streams
from florence.loading.seeded_dataset import SeededDataset


class DataPosition:
    """Position of one rank, read off the batches that were consumed (not those that workers prefetched).

    The seed is that of the saved run, also where the config names another. Sets with an index may be resumed with any number of
    loader workers, and with another number of ranks where a step reads as many samples in all; streams need the numbers of
    workers and ranks that they had.

    Args:
        loader: Made by `make_resumable`.
    """

    def __init__(self, loader: DataLoader) -> None:
        streamed = isinstance(loader.dataset, PositionedStream)
        if not streamed and not isinstance(loader.batch_sampler, PositionedBatchSampler):
            raise ValueError('DataPosition needs a loader from make_resumable')
        self._kind: _IndexedPosition | _StreamPosition = _StreamPosition(loader) if streamed else _IndexedPosition(loader)

    def observe(self, data_batch: PositionedBatch) -> None:
        """Count one batch as consumed.

        Args:
            data_batch: As the loader gave it.

        Raises:
            ValueError: If it is another object than the loader gave.
        """
        if not isinstance(data_batch, PositionedBatch):
            raise ValueError(f'observe() needs the batch as the loader gave it, not {type(data_batch).__name__}')
        self._kind.observe(data_batch.position)

    def state_dict(self) -> dict:
        """The position in plain Python values; each rank has its own."""
        return self._kind.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Let the loader begin after the batches that the state counts as consumed. Call it before the first `iter(loader)`.

        Args:
            state: From `state_dict` of the same rank.

        Raises:
            ValueError: If the data are read in another way than when the state was written.
        """
        expected = self._kind.state_dict()
        if state.get('kind') != expected['kind']:
            raise ValueError(f'the data position is of kind {state.get("kind")!r}, this data set needs {expected["kind"]!r}')
        for name, remedy in self._kind.MUST_AGREE.items():
            if state[name] != expected[name]:
                raise ValueError(
                    f'the data position was saved with {name} = {state[name]}, this run has {expected[name]}: {remedy}, '
                    'or start from the weights alone with --load-from'
                )
        self._kind.load_state_dict(state)


class _IndexedPosition:
    MUST_AGREE = {
        'sampler': 'set the sampler as it was',
        'num_samples': 'restore the data set as it was',
    }

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._epoch, self._batches = 0, 0

    def observe(self, position: tuple[int, int]) -> None:
        self._epoch, number = position
        self._batches = number + 1

    def state_dict(self) -> dict:
        batches, dataset = self._loader.batch_sampler, self._loader.dataset
        return {
            'kind': 'indexed',
            'epoch': self._epoch,
            'batches': self._batches,
            'batch_size': batches.batch_size,
            'world_size': batches.world_size,
            'seed': dataset.seed_of_run,
            'sampler_seed': getattr(batches.sampler, 'seed', None),
            'sampler': type(batches.sampler).__name__,
            'num_samples': len(dataset),
        }

    def load_state_dict(self, state: dict) -> None:
        self._epoch, self._batches = state['epoch'], self._batches_here(state)
        _go_on_with_seed(self._loader.dataset, state['seed'])
        if state['sampler_seed'] is not None:
            self._loader.batch_sampler.sampler.seed = state['sampler_seed']
        self._loader.batch_sampler.skip(self._batches, self._epoch)

    def _batches_here(self, state: dict) -> int:
        """Batches that read as many samples as the state's, where ranks or batch size have changed."""
        batches = self._loader.batch_sampler
        here = (batches.batch_size, batches.world_size)
        if (state['batch_size'], state['world_size']) == here or state['batches'] == 0:
            return state['batches']
        num_samples = state['batches'] * state['batch_size'] * state['world_size'] if batches.can_jump else 1
        number, rest = divmod(num_samples, here[0] * here[1])
        if rest:
            raise ValueError(
                f'the data position was saved with batch_size {state["batch_size"]} on {state["world_size"]} ranks, this run has '
                f'{here[0]} on {here[1]}, and no whole number of its steps reads the same samples: set them as they were'
            )
        return number


class _StreamPosition:
    MUST_AGREE = {
        'world_size': 'start as many ranks as then',
        'rank': 'give each rank its own state',
        'num_streams': 'set num_workers of the data loader as it was',
    }

    def __init__(self, loader: DataLoader) -> None:
        self._dataset = loader.dataset
        self._num_streams = num_streams(loader)
        self._batches = 0
        self._streams: list[dict[str, Any] | None] = [None] * self._num_streams

    def observe(self, position: tuple[int, dict[str, Any]]) -> None:
        stream, after = position
        assert stream == self._batches % self._num_streams, 'loader workers are out of their rotation'
        self._streams[stream] = after
        self._batches += 1

    def state_dict(self) -> dict:
        return {
            'kind': 'stream',
            'batches': self._batches,
            'streams': list(self._streams),
            'num_streams': self._num_streams,
            **self._dataset.share_of_run,
        }

    def load_state_dict(self, state: dict) -> None:
        self._batches, self._streams = state['batches'], list(state['streams'])
        for position in filter(None, self._streams):
            self._dataset.check_position(position)
        _go_on_with_seed(self._dataset, state['seed'])
        self._dataset.begin_at(self._batches, self._streams)


def _go_on_with_seed(dataset: SeededDataset | PositionedStream, seed: int) -> None:
    """A run without a seed in its config draws another one each time it is started; the first one decides."""
    if dataset.seed_of_run != seed:
        message = f'the data go on with seed {seed} of the run that is resumed, not with {dataset.seed_of_run}'
        print_log(message, logger='current', level=logging.INFO)
        dataset.set_seed_of_run(seed)
