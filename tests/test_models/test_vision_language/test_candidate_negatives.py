"""Negatives are allowed ones, differ, and come as often as the softmax says."""

import torch

from florence.models.vision_language.candidate_negatives import draw_negatives


def test_only_allowed_entries_each_once():
    allowed = torch.rand(6, 9) > 0.3
    allowed[0] = False
    allowed[1, 2:] = False
    allowed[1, :2] = True
    indices, found = draw_negatives(torch.randn(6, 9), allowed, 4)
    assert indices.shape == found.shape == (6, 4)
    assert found.sum(1).tolist() == allowed.sum(1).clamp_max(4).tolist()
    assert allowed.gather(1, indices)[found].all()
    assert all(len(set(row.tolist())) == 4 for row in indices)


def test_no_more_than_there_are():
    indices, found = draw_negatives(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool), 15)
    assert indices.shape == (2, 3) and found.all()


def test_one_draw_follows_the_softmax_of_the_allowed():
    logits = torch.tensor([[2.0, 1.0, 0.0, 5.0]]).expand(20000, 4)
    allowed = torch.tensor([[True, True, True, False]]).expand(20000, 4)
    indices, _ = draw_negatives(logits, allowed, 1)
    share = torch.bincount(indices.flatten(), minlength=4) / 20000
    expected = torch.tensor([2.0, 1.0, 0.0]).softmax(0)
    assert share[3] == 0 and (share[:3] - expected).abs().max() < 0.015
