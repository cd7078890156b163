"""Candidates of both directions, against sorting, and where items tie."""

import pytest
import torch
from torch.nn.functional import normalize

from florence.models.vision_language.candidates import CandidatePairs
from florence.tasks.candidate_lists import OF_IMAGE, OF_TEXT


def lists_of(chosen, num_images, num_texts):
    lists = torch.zeros(num_images, num_texts, dtype=torch.uint8)
    for image, (texts, bits) in enumerate(chosen.of_images(torch.arange(num_images))):
        assert texts.tolist() == sorted(texts.tolist()) and (bits > 0).all()
        lists[image, texts] = bits
    return lists


@pytest.mark.parametrize('chunk_size', [1, 4, 100])
def test_they_are_the_best_of_each_query(chunk_size):
    images, texts = normalize(torch.randn(9, 8), dim=1), normalize(torch.randn(23, 8), dim=1)
    lists = lists_of(CandidatePairs(images, texts, 3, chunk_size), 9, 23)
    scores = images @ texts.t()
    by_image = torch.zeros(9, 23, dtype=torch.bool).scatter_(1, scores.topk(3, dim=1).indices, True)
    by_text = torch.zeros(9, 23, dtype=torch.bool).scatter_(0, scores.topk(3, dim=0).indices, True)
    assert torch.equal((lists & OF_IMAGE).bool(), by_image) and torch.equal((lists & OF_TEXT).bool(), by_text)


def test_all_are_candidates_where_there_are_no_more_than_k():
    images, texts = normalize(torch.randn(4, 8), dim=1), normalize(torch.randn(9, 8), dim=1)
    lists = lists_of(CandidatePairs(images, texts, 4), 4, 9)
    assert (lists & OF_TEXT).bool().all() and ((lists & OF_IMAGE).bool().sum(1) == 4).all()


def test_those_that_tie_with_the_first_left_out_are_left_out():
    texts = torch.eye(4)[[0, 1, 1, 2]]
    image = torch.tensor([[0.8, 0.6, 0.0, 0.0]])
    ((own, bits),) = CandidatePairs(image, texts, 2).of_images(torch.tensor([0]))
    # The second place is shared by two texts; of the image's list only the first text remains, each text has the one image.
    assert own.tolist() == [0, 1, 2, 3] and (bits & OF_IMAGE).tolist() == [1, 0, 0, 0] and (bits & OF_TEXT).tolist() == [2] * 4


def test_what_is_not_a_number_is_no_candidate_and_hides_none():
    images, texts = normalize(torch.randn(3, 8), dim=1), normalize(torch.randn(5, 8), dim=1)
    texts[2] = float('nan')
    lists = lists_of(CandidatePairs(images, texts, 2), 3, 5)
    assert (lists[:, 2] == 0).all() and ((lists & OF_IMAGE).bool().sum(1) == 2).all()


def test_k_must_be_positive():
    with pytest.raises(ValueError, match='top_k must be at least 1, got 0'):
        CandidatePairs(torch.eye(2), torch.eye(2), 0)
