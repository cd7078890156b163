"""The split by hash: a partition, of the asked size, that later samples do not disturb."""

import pytest

from florence.datasets.hash_split import HashSplit

KEYS = [f'image {i}' for i in range(5000)]


@pytest.mark.parametrize('val_share', [0.1, 0.5])
def test_split_is_a_partition_of_the_asked_size(val_share):
    train = {key for key in KEYS if HashSplit('train', val_share).has(key)}
    val = {key for key in KEYS if HashSplit('val', val_share).has(key)}
    assert train | val == set(KEYS) and not train & val
    assert len(val) / len(KEYS) == pytest.approx(val_share, abs=0.02)
    assert all(HashSplit(None, val_share).has(key) for key in KEYS)


def test_larger_share_only_adds_to_val():
    small = {key for key in KEYS if HashSplit('val', 0.1).has(key)}
    large = {key for key in KEYS if HashSplit('val', 0.2).has(key)}
    assert small < large


def test_membership_is_pinned():
    """Changing it would silently mix the training and validation images of a resumed run."""
    assert [i for i in range(40) if HashSplit('val', 0.1).has(f'image {i}')] == [11, 33]


@pytest.mark.parametrize('options', [dict(split='test'), dict(val_share=0.0), dict(val_share=1.0)])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        HashSplit(**options)
