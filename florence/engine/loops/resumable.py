"""Training loops that go on exactly where a killed run stood: at the same sample, with the same random state.

They take the place of mmengine's loops of the same kind in every run of `florence.StrategyRunner`. Differs from mmengine's:
nothing that was consumed is loaded again; an epoch can be resumed in its middle; validation does not touch the random state of
the training, so that it does not matter whether and when it ran.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

import mmengine.runner
import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.logging import print_log
from torch import Tensor

from florence.engine.gradient_cache import GradientCache
from florence.engine.random_state import random_state, set_random_state
from florence.loading import DataPosition, make_resumable
from florence.loading.sample_seed import generators_preserved
from florence.registry import LOOPS


class ResumableTraining:
    """Mixin of the two loops: batches in order, from the position that a checkpoint holds.

    Args:
        runner: The runner.
        dataloader: Loader or its config.
        gradient_cache: Arguments of `florence.engine.gradient_cache.GradientCache`; None: the batch is encoded at once.
        **kwargs: Arguments of mmengine's loop.
    """

    def __init__(self, runner: Any, dataloader: Any, *, gradient_cache: dict | None = None, **kwargs) -> None:
        super().__init__(runner, dataloader, **kwargs)
        self.position: DataPosition | None = None
        self._follow_position()
        self.gradient_cache = GradientCache(**gradient_cache) if gradient_cache else None
        self.data_seconds = 0.0
        self.between_epochs = False
        self._ending_iter = self._ending_epoch = 0
        self._pending_random_state: dict | None = None
        self._random_state_of_training: dict | None = None  # while validation draws

    def _follow_position(self) -> None:
        try:
            loader = make_resumable(self.dataloader, seed=self.runner.seed, rank=get_rank(), world_size=get_world_size())
        except ValueError as error:
            print_log(f'a resumed run will read its data from the start: {error}', logger='current', level=logging.WARNING)
        else:
            self.dataloader, self.position = loader, DataPosition(loader)

    def rank_state(self) -> dict[str, Any]:
        """What this rank needs to go on exactly: random state and position in the data."""
        data = None if self.position is None else self.position.state_dict()
        if data is not None and self.between_epochs and 'epoch' in data:
            data = {**data, 'epoch': data['epoch'] + 1, 'batches': 0}
        return {'random': self._random_state_of_training or random_state(), 'data': data}

    def progress(self) -> dict[str, int]:
        """Epochs and iterations that are done: hooks run, and may save, before the loop has counted."""
        return {'epoch': self._epoch + self._ending_epoch, 'iter': self._iter + self._ending_iter}

    def load_rank_state(self, state: dict[str, Any]) -> None:
        """Go on from what `rank_state` gave."""
        self._pending_random_state = state['random']  # None: the one at hand stays
        if state['data'] is not None and self.position is not None:
            self.position.load_state_dict(state['data'])

    def batches(self) -> Iterator[Any]:
        """One pass of the data, from the current position on; counts the time spent waiting."""
        # A loader draws a seed for its workers; the training's own draws must not depend on how often that happened.
        with generators_preserved():
            iterator = iter(self.dataloader)
        if self._pending_random_state is not None:
            set_random_state(self._pending_random_state)
            self._pending_random_state = None
        while True:
            began = time.perf_counter()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self.data_seconds = time.perf_counter() - began
            if self.position is not None:
                self.position.observe(batch)
            yield batch

    def train_step(self, batch_idx: int, data_batch: Any) -> None:
        """One iteration with its hooks."""
        runner = self.runner  # type: ignore[attr-defined]
        runner.call_hook('before_train_iter', batch_idx=batch_idx, data_batch=data_batch)
        if self.gradient_cache is not None:
            outputs = self.gradient_cache.train_step(runner.model, data_batch, runner.optim_wrapper)
        else:
            outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        outputs = mean_over_ranks(outputs)
        self._ending_iter = 1
        runner.call_hook('after_train_iter', batch_idx=batch_idx, data_batch=data_batch, outputs=outputs)
        self._ending_iter = 0
        self._iter += 1

    def validate(self) -> None:
        """Validation, without a trace in the random state."""
        self._random_state_of_training = random_state()
        self.runner.val_loop.run()  # type: ignore[attr-defined]
        set_random_state(self._random_state_of_training)
        self._random_state_of_training = None


def mean_over_ranks(log_vars: dict[str, Any]) -> dict[str, Any]:
    """The entries that are losses, averaged over the ranks, so that the log shows the loss of the whole batch.

    Every rank sees the same figures, and so the same NaN.
    """
    names = sorted(name for name, value in log_vars.items() if 'loss' in name and isinstance(value, Tensor))
    if not names or get_world_size() == 1:
        return log_vars
    values = torch.stack([log_vars[name].detach().float() for name in names])
    all_reduce(values, 'mean')
    return {**log_vars, **dict(zip(names, values, strict=True))}


@LOOPS.register_module()
class IterTrainLoop(ResumableTraining, mmengine.runner.IterBasedTrainLoop):
    """Training counted in iterations.

    Args:
        runner, dataloader, max_iters, val_begin, val_interval, dynamic_intervals: As in mmengine.
        gradient_cache: `dict(chunk_size=N)`: the gradient of the whole batch in the memory of N samples.
    """

    def run(self) -> Any:
        """Train to the end.

        Raises:
            ValueError: If the data give no batch.
        """
        runner = self.runner
        runner.call_hook('before_train')
        runner.call_hook('before_train_epoch')
        batches = self._endless_batches()
        while self._iter < self._max_iters and not self.stop_training:
            runner.model.train()
            self.train_step(self._iter, next(batches))
            self._decide_current_val_interval()
            due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if runner.val_loop is not None and self._iter >= self.val_begin and due:
                self.validate()
        runner.call_hook('after_train_epoch')
        runner.call_hook('after_train')
        return runner.model

    def _endless_batches(self) -> Iterator[Any]:
        while True:
            empty = True
            for batch in self.batches():
                empty = False
                yield batch
            if empty:
                raise ValueError(
                    f'the training data give no batch: {type(self.dataloader.dataset).__name__} has fewer samples than '
                    'batch_size x ranks, and drop_last leaves the rest out. Lower batch_size or set drop_last=False.'
                )


@LOOPS.register_module()
class EpochTrainLoop(ResumableTraining, mmengine.runner.EpochBasedTrainLoop):
    """Training counted in epochs; a run that was stopped within one goes on within it.

    Args:
        runner, dataloader, max_epochs, val_begin, val_interval, dynamic_intervals: As in mmengine.
        gradient_cache: `dict(chunk_size=N)`: the gradient of the whole batch in the memory of N samples.
    """

    def run(self) -> Any:
        """Train to the end."""
        runner = self.runner
        runner.call_hook('before_train')
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
            if runner.val_loop is not None and self._epoch >= self.val_begin and due:
                self.validate()
        runner.call_hook('after_train')
        return runner.model

    def run_epoch(self) -> None:
        """The rest of one epoch."""
        self.runner.call_hook('before_train_epoch')
        self.between_epochs = False
        self.runner.model.train()
        first = self._iter % len(self.dataloader) if self.position is not None else 0
        for index, data_batch in enumerate(self.batches(), start=first):
            self.train_step(index, data_batch)
        self.between_epochs, self._ending_epoch = True, 1
        self.runner.call_hook('after_train_epoch')
        self._ending_epoch = 0
        self._epoch += 1
