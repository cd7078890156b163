"""Counting, naming, replacing and stopping, in one process and across loader workers."""

import copy
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florence.datasets.bad_samples import BadSample, BadSampleGuard, TooManyBadSamples, replacement_index


@given(st.integers(0, 10**6), st.integers(0, 50), st.integers(2, 10**6))
def test_replacement_is_another_valid_index_and_always_the_same(index, attempt, length):
    index %= length
    found = replacement_index(index, attempt, length)
    assert 0 <= found < length and found != index
    assert found == replacement_index(index, attempt, length)


def test_replacements_spread_over_the_set():
    """A constant neighbour would show one sample again and again where broken ones lie together."""
    found = {replacement_index(5, attempt, 1000) for attempt in range(200)}
    assert len(found) > 150


def test_read_returns_the_sample_or_its_replacement():
    guard = BadSampleGuard(max_bad_share=0.5)

    def read_one(index: int) -> int:
        if index == 3:
            raise BadSample('sample 3 is broken')
        return index

    assert guard.read(2, 10, read_one) == 2
    assert guard.read(3, 10, read_one) == replacement_index(3, 0, 10)
    assert (guard.num_reads, guard.num_bad) == (3, 1)


def test_other_errors_are_not_swallowed():
    """A programming or configuration error must stop the run at once, it is no broken sample."""

    def read_one(index: int) -> int:
        raise ValueError('HashTextLabel must stand before')

    guard = BadSampleGuard()
    with pytest.raises(ValueError, match='HashTextLabel'):
        guard.read(0, 10, read_one)
    assert guard.num_bad == 0


def test_each_sample_is_named_once_and_totals_thin_out(log_lines):
    guard = BadSampleGuard(max_bad_share=0.9, min_samples_before_stop=10**6)
    for number in range(60):
        guard.count_bad(BadSample(f'sample {number % 3} is broken'))
    named = [line for line in log_lines if line.startswith('Bad sample')]
    totals = [line.split()[0] for line in log_lines if 'so far' in line]
    assert named == [f'Bad sample left out: sample {i} is broken' for i in range(3)]
    assert totals == ['1', '2', '5', '10', '20', '50']


def test_run_stops_only_after_enough_reads():
    guard = BadSampleGuard(max_bad_share=0.1, min_samples_before_stop=20)
    for _ in range(3):
        guard.count_bad(BadSample('x'))
    for _ in range(16):
        guard.count_good()
    with pytest.raises(TooManyBadSamples, match='3 of 20 samples .* max_bad_share = 0.1 '):
        guard.count_good()


def test_share_exactly_at_the_limit_is_allowed():
    guard = BadSampleGuard(max_bad_share=0.1, min_samples_before_stop=10)
    guard.count_bad(BadSample('x'))
    for _ in range(9):
        guard.count_good()
    assert (guard.num_reads, guard.num_bad) == (10, 1)


def test_set_smaller_than_the_minimum_is_judged_after_one_pass():
    guard = BadSampleGuard(max_bad_share=0.1, min_samples_before_stop=100)
    guard.count_bad(BadSample('x'), length=4)
    guard.count_good(length=4)
    guard.count_good(length=4)
    with pytest.raises(TooManyBadSamples, match='1 of 4'):
        guard.count_good(length=4)


def test_set_without_a_usable_sample_stops():
    def read_one(index: int) -> int:
        raise BadSample(f'sample {index} is broken')

    with pytest.raises(TooManyBadSamples, match='5 of 5'):
        BadSampleGuard(max_bad_share=0.5).read(0, 5, read_one)


@pytest.mark.parametrize('options', [dict(max_bad_share=1.0), dict(max_bad_share=-0.1), dict(min_samples_before_stop=0)])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        BadSampleGuard(**options)


def _read_many(guard: BadSampleGuard, number: int) -> None:
    for _ in range(500):
        guard.count_good()
    guard.count_bad(BadSample(f'worker {number}'))


def _run_together(*workers) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


def test_forked_workers_count_together_without_losing_one():
    guard = BadSampleGuard(max_bad_share=0.5)
    process = multiprocessing.get_context('fork').Process
    _run_together(*(process(target=_read_many, args=(guard, number)) for number in range(2)))
    assert (guard.num_reads, guard.num_bad) == (1002, 2)


def test_spawned_worker_counts_for_its_parent():
    guard = BadSampleGuard(max_bad_share=0.5)
    _run_together(multiprocessing.get_context('spawn').Process(target=guard.count_bad, args=(BadSample('x'),)))
    assert (guard.num_reads, guard.num_bad) == (1, 1)


def test_copy_counts_for_itself():
    guard = BadSampleGuard(max_bad_share=0.3)
    guard.count_good()
    twin = copy.deepcopy(guard)
    twin.count_good()
    twin.count_good()
    assert (guard.num_reads, twin.num_reads, twin.max_bad_share) == (1, 2, 0.3)
