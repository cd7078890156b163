"""Top-k and mean-per-class accuracy against hand-computed values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.evaluation.functional import mean_per_class_accuracy, rank_of_target, topk_accuracy

SCORES = torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]])
TARGET = torch.tensor([0, 2, 2, 1])


def test_ranks_and_topk_by_hand():
    ranks = rank_of_target(SCORES, TARGET)
    assert ranks.tolist() == [0, 1, 0, 2]
    assert topk_accuracy(ranks, (1, 2, 3)) == {1: 50.0, 2: 75.0, 3: 100.0}


def test_mean_per_class_ignores_class_size_and_absent_classes():
    # class 0: 1 of 1 right, class 1: 0 of 1, class 2: 1 of 2
    assert mean_per_class_accuracy(rank_of_target(SCORES, TARGET), TARGET) == pytest.approx(50.0)
    ranks = torch.tensor([0, 0, 0, 1])
    assert mean_per_class_accuracy(ranks, torch.tensor([7, 7, 7, 9])) == pytest.approx(50.0)


def test_ties_give_no_credit():
    ranks = rank_of_target(torch.zeros(4, 3), TARGET)
    assert topk_accuracy(ranks, (1, 2, 3)) == {1: 0.0, 2: 0.0, 3: 100.0}


@pytest.mark.parametrize('row', [[float('nan')] * 3, [float('nan'), 1.0, 2.0], [5.0, float('nan'), 1.0]])
def test_nan_is_never_a_hit(row):
    assert rank_of_target(torch.tensor([row]), torch.tensor([0])).item() > 0


def test_infinite_scores_keep_their_order():
    scores = torch.tensor([[float('inf'), 0.0, float('-inf')]])
    assert [rank_of_target(scores, torch.tensor([target])).item() for target in range(3)] == [0, 1, 2]


@pytest.mark.parametrize('target', [-1, 3])
def test_class_index_out_of_range(target):
    with pytest.raises(ValueError, match='the model scores 3 classes'):
        rank_of_target(SCORES[:1], torch.tensor([target]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 4), min_size=5, max_size=5), st.integers(0, 4)), min_size=1))
def test_rank_counts_competitors(samples):
    scores, target = zip(*samples, strict=True)
    expected = [sum(score >= row[own] for index, score in enumerate(row) if index != own) for row, own in samples]
    assert rank_of_target(torch.tensor(scores).float(), torch.tensor(target)).tolist() == expected
