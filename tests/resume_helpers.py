"""Run a loader, stop, build everything anew, load the position, compare what follows with the uninterrupted run."""

import random
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader, Dataset

from florence.loading import DataPosition


class NoisySet(Dataset):
    """Samples of an index and one draw from each generator; counts in shared memory how often it was read."""

    metainfo = {'classes': ('one', 'two')}

    def __init__(self, length: int, sides: int = 1) -> None:
        self.length = length
        self.sides = sides
        self.num_reads = torch.zeros(1, dtype=torch.int64).share_memory_()

    def __deepcopy__(self, memo: dict) -> 'NoisySet':
        return self  # mmengine copies a loader's config, and with it the counter

    def __len__(self) -> int:
        return self.length

    def get_data_info(self, index: int) -> dict:
        """Size of the image, upright where `index % sides` is 0."""
        return {'width': 10, 'height': 20 if index % self.sides == 0 else 5, 'gt_label': index % 3}

    def __getitem__(self, index: int) -> dict:
        self.num_reads += 1
        noise = torch.tensor([random.random(), np.random.rand(), float(torch.rand(()))], dtype=torch.float64)
        return {'inputs': noise, 'data_samples': index}


def endless(loader: DataLoader) -> Iterator[dict]:
    """Epoch after epoch, as an iteration-based loop reads."""
    while True:
        yield from loader


def plain(batch: dict) -> list:
    """A batch as values that compare by `==`."""
    samples = batch['data_samples']
    if isinstance(samples[0], BaseDataElement):
        samples = [sample.to_dict() | {'id': sample.sample_id} for sample in samples]
    return [*(one.tolist() for one in batch['inputs']), *samples]


def run(loader: DataLoader, num_batches: int, state: dict | None = None) -> tuple[list, dict]:
    """Batches of a new run, or of one resumed at `state`, and the position after the last."""
    position, found = DataPosition(loader), []
    if state is not None:
        position.load_state_dict(state)
    for batch in islice(endless(loader), num_batches):
        position.observe(batch)
        found.append(plain(batch))
    return found, position.state_dict()


def assert_resumes_exactly(
    build: Callable[[int], DataLoader], *, stop: int, more: int, num_workers: int, then: int | None = None
) -> None:
    """`build(num_workers)` makes data set and loader anew; `then` is the number of workers after the resume."""
    uninterrupted, _ = run(build(num_workers), stop + more)
    before, state = run(build(num_workers), stop)
    after, _ = run(build(num_workers if then is None else then), more, state)
    assert before == uninterrupted[:stop] and after == uninterrupted[stop:]
