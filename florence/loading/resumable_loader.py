"""Data loaders that resume at the exact sample, its augmentation included, without decoding what was consumed.

A loader built by mmengine becomes resumable by `make_resumable`, whatever its data set, sampler, collate function and number of
workers; `DataPosition` then reads the position off each consumed batch.
"""

from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from florence.loading.positioned_batch import PositionedCollate, as_it_is
from florence.loading.positioned_batches import PositionedBatchSampler
from florence.loading.positioned_stream import PositionedStream
from florence.loading.seeded_dataset import SeededDataset


def make_resumable(loader: DataLoader, seed: int, rank: int = 0, world_size: int = 1) -> DataLoader:
    """A loader of the same batches whose position can be saved and whose augmentation depends on (seed, position) alone.

    The new loader has its batch sampler (streams: its batches) made here, so `batch_size` of the loader is None. Starting its
    workers draws nothing from torch's global generator.

    Args:
        loader: As `Runner.build_dataloader` makes it; it must not be iterated any more.
        seed: Seed of the run, the same on all ranks.
        rank, world_size: This process and the number of processes.

    Raises:
        ValueError: If the loader cannot be resumed at a sample; the message says why.
    """
    if not loader.in_order:
        raise ValueError('a loader with in_order=False cannot be resumed at a sample: leave in_order at True')
    if isinstance(loader.dataset, IterableDataset):
        _require_endless_stream(loader)
        dataset = PositionedStream(
            loader.dataset, loader.collate_fn, batch_size=loader.batch_size, seed=seed, rank=rank, world_size=world_size
        )
        return _rebuild(loader, dataset, seed=seed, collate_fn=as_it_is, batch_size=None)
    if loader.batch_sampler is None:
        raise ValueError('a loader without batches (batch_size=None) cannot be resumed at a sample: give it a batch_size')
    return _rebuild(
        loader,
        SeededDataset(loader.dataset, seed),
        seed=seed,
        collate_fn=PositionedCollate(loader.collate_fn),
        batch_sampler=PositionedBatchSampler(loader.batch_sampler, rank=rank, world_size=world_size),
    )


def _require_endless_stream(loader: DataLoader) -> None:
    name = type(loader.dataset).__name__
    if not hasattr(loader.dataset, 'new_position'):
        raise ValueError(f'{name} has no read() and new_position(): a stream of this kind cannot be resumed at a sample')
    if not loader.dataset.is_endless:
        raise ValueError(f'{name} stops after one pass, which cannot be resumed at a sample: set repeat=True')
    if loader.batch_size is None:
        raise ValueError('a stream without batches (batch_size=None) cannot be resumed at a sample: give it a batch_size')


def _rebuild(loader: DataLoader, dataset: Dataset, *, seed: int, **changed: Any) -> DataLoader:
    """A loader with the same worker settings over another data set."""
    return DataLoader(
        dataset,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=torch.Generator().manual_seed(seed) if loader.generator is None else loader.generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
        pin_memory_device=loader.pin_memory_device,
        in_order=True,
        **changed,
    )


def num_streams(loader: DataLoader) -> int:
    """Logical streams of a loader over a stream: one per worker."""
    return max(1, loader.num_workers)
