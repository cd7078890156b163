"""What happens when one sample of many cannot be used: it is counted, named, replaced, and too many stop the
run.

A web-scale set always holds broken images and empty captions; one of them must not end a training of days,
and a set that is mostly broken must not train in silence. `BadSampleGuard` is shared by data sets with an
index and by streams. Its counters lie in shared memory, so the workers of one data loader count together;
each rank counts its own.
"""

import logging
import multiprocessing
import multiprocessing.context
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from mmengine.logging import print_log

from florence.tasks.text_hash import text_label

T = TypeVar('T')

MAX_REPLACEMENTS = 1000
MAX_NAMED = 4096


class BadSample(ValueError):
    """One sample cannot be used; the message names it and says why."""


class TooManyBadSamples(ValueError):
    """The share of bad samples is above the limit that the configuration allows."""


def _is_milestone(count: int) -> bool:
    """Whether `count` is one of 1, 2, 5, 10, 20, 50, 100, ..."""
    digits = str(count)
    return digits[0] in '125' and set(digits[1:]) <= {'0'}


def replacement_index(index: int, attempt: int, length: int) -> int:
    """Index of the sample that stands in for a bad one, in `[0, length)`; never `index` itself where `length
    > 1`.

    It depends on nothing but its arguments, so a resumed or repeated run reads the same samples.

    Args:
        index: Index of the bad sample.
        attempt: 0 for the first replacement, 1 for the replacement of that one, and so on.
        length: Number of samples in the set.
    """
    if length == 1:
        return 0
    step = 1 + text_label(f'{index}/{attempt}') % (length - 1)
    return (index + step) % length


class BadSampleGuard:
    """Counts reads and bad samples over all workers, names each bad sample once, stops the run when there are
    too many.

    Args:
        max_bad_share: Largest share of reads that may fail, in `[0, 1)`.
        min_samples_before_stop: Reads before the share is judged; a smaller set is judged after one pass.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, *, max_bad_share: float = 0.01, min_samples_before_stop: int = 100) -> None:
        if not 0 <= max_bad_share < 1:
            raise ValueError(f'max_bad_share must be at least 0 and below 1, not {max_bad_share}')
        if min_samples_before_stop < 1:
            raise ValueError(f'min_samples_before_stop must be at least 1, not {min_samples_before_stop}')
        self.max_bad_share = max_bad_share
        self.min_samples_before_stop = min_samples_before_stop
        self._allocate()

    def _allocate(self) -> None:
        # A spawn lock serves forked and spawned workers; a fork lock refuses the second.
        self._lock = multiprocessing.get_context('spawn').Lock()
        self._num_reads = multiprocessing.RawValue('q', 0)
        self._num_bad = multiprocessing.RawValue('q', 0)
        self._num_named = multiprocessing.RawValue('q', 0)
        self._named = multiprocessing.RawArray('q', MAX_NAMED)

    def __getstate__(self) -> dict:
        # Shared memory travels to a spawned worker only; any other copy counts for itself.
        if _is_spawning():
            return self.__dict__.copy()
        return {key: self.__dict__[key] for key in ('max_bad_share', 'min_samples_before_stop')}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if '_lock' not in state:
            self._allocate()

    @property
    def num_reads(self) -> int:
        """Samples read so far by all workers, good and bad."""
        return self._num_reads.value

    @property
    def num_bad(self) -> int:
        """Reads that failed so far, in all workers."""
        return self._num_bad.value

    def read(self, index: int, length: int, read_one: Callable[[int], T | None]) -> T:
        """The sample at `index`, or its first usable replacement.

        Args:
            index: Index that the sampler asked for.
            length: Number of samples in the set.
            read_one: Reads and processes one sample; raises `BadSample` where it cannot, returns None where a step of the
                pipeline, a crop or a filter, leaves nothing of it, which is no fault of the sample.

        Raises:
            TooManyBadSamples: If the share of bad samples is above the limit, or a thousand in a row give none.
        """
        candidate = index
        for attempt in range(MAX_REPLACEMENTS):
            try:
                sample = read_one(candidate)
            except BadSample as error:
                self.count_bad(error, length)
            else:
                if sample is not None:
                    self.count_good(length)
                    return sample
            candidate = replacement_index(candidate, attempt, length)
        raise TooManyBadSamples(
            f'{MAX_REPLACEMENTS} samples in a row cannot be used, beginning at index {index}: the log names the broken ones; '
            'of the others the pipeline leaves nothing, look at its crops and filters'
        )

    def count_good(self, length: int | None = None) -> None:
        """Count one usable sample.

        Args:
            length: Number of samples in the set, None where it is unknown (streams).

        Raises:
            TooManyBadSamples: If the share of bad samples is above the limit.
        """
        with self._lock:
            self._num_reads.value += 1
        self.check(length)

    def count_bad(self, error: Exception, length: int | None = None) -> None:
        """Count one bad sample and name it in the log.

        Args:
            error: Its message names the sample and the reason.
            length: Number of samples in the set, None where it is unknown (streams).

        Raises:
            TooManyBadSamples: If the share of bad samples is above the limit.
        """
        with self._lock:
            self._num_reads.value += 1
            self._num_bad.value += 1
            reads, bad = self.num_reads, self.num_bad
            is_new = self._remember(text_label(str(error)))
        if is_new:
            print_log(f'Bad sample left out: {error}', logger='current', level=logging.WARNING)
        if _is_milestone(bad):
            print_log(f'{bad} of {reads} reads met a bad sample so far', logger='current', level=logging.WARNING)
        self.check(length)

    def _remember(self, key: int) -> bool:
        """Whether `key` is new; False also when the memory is full, which keeps the log readable."""
        count = self._num_named.value
        if count == MAX_NAMED or key in np.frombuffer(self._named, dtype=np.int64, count=count):
            return False
        self._named[count] = key
        self._num_named.value = count + 1
        return True

    def check(self, length: int | None = None) -> None:
        """Stop the run where too many samples are bad.

        Args:
            length: Number of samples in the set; None = unknown.

        Raises:
            TooManyBadSamples: If enough samples were read and the share of bad ones is above the limit.
        """
        reads, bad = self.num_reads, self.num_bad
        enough = self.min_samples_before_stop if length is None else min(self.min_samples_before_stop, length)
        if reads >= enough and bad > self.max_bad_share * reads:
            raise TooManyBadSamples(
                f'{bad} of {reads} samples read so far cannot be used, more than max_bad_share = '
                f'{self.max_bad_share:g} allows: the log names them; repair the data or raise max_bad_share'
            )


def _is_spawning() -> bool:
    return multiprocessing.context.get_spawning_popen() is not None
