"""Endless samplers: coverage, proportions, ranks that share one order, and skipping that equals stepping."""

import collections
import time
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import ConcatDataset

from florence.datasets.samplers import BalancedSampler, MixtureSampler, ShuffledSampler
from florence.datasets.samplers.grouped_draws import GroupedDraws
from florence.datasets.samplers.mixture_sampler import mixture_weights

FAST = settings(max_examples=30, deadline=None)


class Labelled:
    """Annotations with a class and a text per sample."""

    def __init__(self, labels: list[int]) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        raise AssertionError('a sampler must not read samples')

    def get_data_info(self, index: int) -> dict:
        return {'gt_label': self.labels[index], 'text': f'class {self.labels[index]}'}


def parts(*sizes: int) -> ConcatDataset:
    return ConcatDataset([range(size) for size in sizes])


def build(kind: str, seed: int = 0):
    labelled = Labelled([0] * 50 + [1] * 5 + [2] * 20)
    return {
        'shuffled': lambda: ShuffledSampler(range(75), seed=seed),
        'ordered': lambda: ShuffledSampler(range(75), shuffle=False, seed=seed),
        'mixture': lambda: MixtureSampler(parts(50, 5, 20), weights=[0.5, 0.3, 0.2], seed=seed),
        'balanced': lambda: BalancedSampler(labelled, seed=seed),
    }[kind]()


KINDS = ('shuffled', 'ordered', 'mixture', 'balanced')


@pytest.mark.parametrize('kind', KINDS)
@given(num_skipped=st.integers(0, 5000), world_size=st.integers(1, 5), data=st.data())
@FAST
def test_skipping_is_stepping_on_any_rank(kind, num_skipped, world_size, data):
    def sampler():
        made = build(kind)
        made.rank, made.world_size = rank, world_size
        return made

    rank = data.draw(st.integers(0, world_size - 1))
    stepped, skipping = sampler(), sampler()
    skipping.skip(num_skipped)
    assert list(islice(stepped, num_skipped, num_skipped + 20)) == list(islice(skipping, 20))


@pytest.mark.parametrize('kind', KINDS)
@given(world_size=st.integers(1, 6))
@FAST
def test_ranks_share_one_order(kind, world_size):
    whole, shares = build(kind), []
    for rank in range(world_size):
        share = build(kind)
        share.rank, share.world_size = rank, world_size
        shares.append(list(islice(share, 100)))
    assert [index for step in zip(*shares) for index in step] == list(islice(whole, 100 * world_size))


@given(length=st.integers(1, 200), seed=st.integers(0, 2**31), passes=st.integers(1, 4))
@FAST
def test_shuffled_passes_cover_the_set_each_in_its_own_order(length, seed, passes):
    indices = iter(ShuffledSampler(range(length), seed=seed))
    orders = [list(islice(indices, length)) for _ in range(passes)]
    assert all(sorted(order) == list(range(length)) for order in orders)
    assert length < 20 or len({tuple(order) for order in orders}) == passes


def test_seed_decides_the_order():
    for kind in ('shuffled', 'mixture', 'balanced'):
        assert list(islice(build(kind, 1), 75)) == list(islice(build(kind, 1), 75)) != list(islice(build(kind, 2), 75))
    assert list(islice(build('ordered'), 80)) == [*range(75), *range(5)]


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    raw=st.lists(st.floats(0.01, 10), min_size=6, max_size=6),
    blocks=st.integers(1, 5),
)
@FAST
def test_draws_hold_the_proportions_and_cover_each_group(sizes, raw, blocks):
    weights = np.array(raw[: len(sizes)]) / sum(raw[: len(sizes)])
    draws = GroupedDraws(sizes, weights)
    num_draws = blocks * draws.block_size
    groups, members = draws.draw(np.arange(num_draws), 3)
    counts = np.bincount(groups, minlength=len(sizes))
    ideal = num_draws * weights
    others = np.arange(len(sizes)) != weights.argmax()
    assert (np.abs(counts - ideal)[others] <= 1).all() and np.abs(counts - ideal).max() < len(sizes)
    for group, size in enumerate(sizes):
        per_member = np.bincount(members[groups == group], minlength=size)
        assert len(per_member) == size and per_member.max() - per_member.min() <= 1, 'a member waits until all had their turn'


@given(weights=st.lists(st.floats(1e-4, 1), min_size=1, max_size=30), block=st.integers(0, 10**7))
@FAST
def test_no_group_is_ever_drawn_a_negative_number_of_times(weights, block):
    draws = GroupedDraws([1] * len(weights), weights)
    counts = draws.counts_before(block + 1) - draws.counts_before(block)
    assert counts.min() >= 0 and counts.sum() == draws.block_size


def test_small_sources_repeat_and_large_ones_do_not():
    indices = list(islice(build('mixture'), 1024))
    counts = collections.Counter(indices)
    assert sum(counts[i] for i in range(50)) == 1024 - 307 - 204 and sum(counts[i] for i in range(50, 55)) == 307
    assert {counts[i] for i in range(50, 55)} == {61, 62}


@given(power=st.sampled_from([0.0, 0.5, 1.0]))
@FAST
def test_classes_are_drawn_in_proportion_to_a_power_of_their_count(power):
    sampler = BalancedSampler(Labelled([7] * 900 + [3] * 100), power=power, seed=0)
    num_draws = 4 * sampler._draws.block_size
    rare = sum(index >= 900 for index in islice(sampler, num_draws))
    share = {0.0: 0.1, 0.5: 0.25, 1.0: 0.5}[power]
    assert abs(rare - share * num_draws) <= 1


def test_balance_by_text_needs_one_text():
    for by in ('gt_label', 'label'):
        sampler = BalancedSampler(Labelled([0] * 9 + [1]), by=by, seed=0)
        assert abs(sum(index == 9 for index in islice(sampler, 1024)) - 512) <= 1
    several = Labelled([0, 1])
    several.get_data_info = lambda index: {'captions': ('a', 'b')}
    with pytest.raises(ValueError, match='sample 0 has 2 texts'):
        BalancedSampler(several, by='label')


@pytest.mark.parametrize(
    ('sizes', 'temperature', 'expected'),
    [([300, 100], 1, [0.75, 0.25]), ([900, 100], 2, [0.75, 0.25]), ([900, 100], float('inf'), [0.5, 0.5])],
)
def test_temperature(sizes, temperature, expected):
    assert mixture_weights(sizes, None, temperature) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: ShuffledSampler([]), 'the data set is empty'),
        (lambda: ShuffledSampler(range(3), seed=0).skip(-1), 'must not be negative'),
        (lambda: MixtureSampler(range(3), weights=[1]), 'range has no parts'),
        (lambda: MixtureSampler(parts(2, 3)), 'either weights or a temperature'),
        (lambda: MixtureSampler(parts(2, 3), weights=[1, 1], temperature=1), 'either weights or a temperature'),
        (lambda: MixtureSampler(parts(2, 3), weights=[1]), '1 weights for 2 sources'),
        (lambda: MixtureSampler(parts(2, 3), weights=[1, -1]), 'must be positive'),
        (lambda: MixtureSampler(parts(2, 3), temperature=0), 'temperature must be positive'),
        (lambda: MixtureSampler(parts(2, 0), temperature=1), 'part 1 of the mixture is empty'),
        (lambda: BalancedSampler(Labelled([0]), power=2), r'power must lie in \[0, 1\]'),
        (lambda: BalancedSampler(Labelled([0]), by='color'), 'by must be one of'),
        (lambda: BalancedSampler(range(3)), 'range has no get_data_info'),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_missing_class_is_named():
    dataset = Labelled([0, 1])
    dataset.get_data_info = lambda index: {'text': 'dog'}
    with pytest.raises(ValueError, match='sample 0 has no gt_label, its annotation holds text'):
        BalancedSampler(dataset)


def test_they_are_registered():
    for name in ('ShuffledSampler', 'MixtureSampler', 'BalancedSampler'):
        assert DATA_SAMPLERS.get(f'florence.{name}').__name__ == name


def test_resuming_a_billion_samples_in_takes_no_time():
    sampler = ShuffledSampler(range(900_000_000), seed=0)
    start = time.perf_counter()
    sampler.skip(25_600_000_000)
    assert 0 <= next(iter(sampler)) < 900_000_000
    assert time.perf_counter() - start < 0.5
