"""The shuffle buffer: nothing lost, nothing far too early, and the same order wherever it is begun."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.datasets import shuffle_buffer
from florence.datasets.shard_sequence import ShardSequence
from florence.datasets.shuffle_buffer import ShuffleBuffer


def numbered_shards(*sizes: int):
    """Shards of consecutive numbers, and a reader that notes what it opened."""
    ends = np.cumsum(sizes).tolist()
    content = {str(i): range(end - size, end) for i, (end, size) in enumerate(zip(ends, sizes))}
    opened: list[str] = []

    def read(name):
        opened.append(name)
        yield from content[name]

    return list(content), read, opened


def test_mixes_and_loses_nothing():
    names, read, _ = numbered_shards(*[50] * 20)
    found = list(ShuffleBuffer(100, key=0).draw(ShardSequence(names, read, []), 0))
    assert sorted(found) == list(range(1000)) and found != list(range(1000))
    assert all(value <= place + 100 for place, value in enumerate(found))
    assert found != list(ShuffleBuffer(100, key=1).draw(ShardSequence(names, read, []), 0))
    assert list(ShuffleBuffer(0, key=0).draw(ShardSequence(names, read, []), 0)) == list(range(1000))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(0, 15), st.integers(0, 2**32), st.data())
@settings(max_examples=150, deadline=None)
def test_begun_anywhere_it_goes_on_as_if_never_stopped(sizes, size, key, data):
    names, read, _ = numbered_shards(*sizes)
    total = sum(sizes)
    num_draws = data.draw(st.integers(0, total))
    known: list[int] = []
    whole, before = ShuffleBuffer(size, key).draw(ShardSequence(names, read, known), 0), []
    for _ in range(num_draws):
        before.append(next(whole))
    resumed = ShuffleBuffer(size, key).draw(ShardSequence(names, read, list(known)), num_draws)
    rest = list(resumed)
    assert rest == list(whole) and sorted(before + rest) == list(range(total))


@pytest.mark.parametrize('num_draws', [1, 5, 63, 64, 65, 200, 1000])
def test_contents_from_the_last_draws_are_those_of_stepping(monkeypatch, num_draws):
    monkeypatch.setattr(shuffle_buffer, 'BLOCK', 64)
    buffer = ShuffleBuffer(9, key=4)
    slots = list(range(10))
    for draw, slot in zip(range(num_draws), buffer.slots_from(0)):
        slots[slot] = 10 + draw
    assert buffer.contents(num_draws).tolist() == slots


def test_contents_after_very_many_draws_look_at_the_last_few_blocks_only(monkeypatch):
    buffer, blocks = ShuffleBuffer(999, key=4), []
    make = buffer._block
    monkeypatch.setattr(buffer, '_block', lambda block: blocks.append(block) or make(block))
    contents = buffer.contents(10**9)
    assert len(set(contents.tolist())) == 1000 and contents.max() < 10**9 + 1000
    assert len(blocks) < 10


def test_shards_in_between_are_not_opened():
    names, read, opened = numbered_shards(*[10] * 8)
    wanted = np.array([12, 15, 63])
    found, rest = ShardSequence(names, read, [10] * 6).reopen(wanted, 65)
    assert found == {12: 12, 15: 15, 63: 63} and opened == ['1', '6']
    assert list(rest) == list(range(65, 80)) and opened == ['1', '6', '7']


def test_a_shard_that_shrank_is_named():
    names, read, _ = numbered_shards(10, 3, 10)
    with pytest.raises(ValueError, match='shard 1 holds fewer samples now'):
        ShardSequence(names, read, [10]).reopen(np.array([2]), 15)
    with pytest.raises(ValueError, match='shard 1 holds fewer samples now'):
        ShardSequence(names, read, [10, 5]).reopen(np.array([14]), 15)
