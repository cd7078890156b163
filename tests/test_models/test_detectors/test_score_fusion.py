"""Scores from objectness and similarity, by hand."""

import math

import pytest
import torch

from florence.models.detectors import ScoreFusion

COSINES = torch.tensor([[0.3, 0.1, 0.2], [0.0, 0.4, 0.1]])
OBJECTNESS = torch.tensor([0.81, 0.16])
TAU = torch.tensor(10.0)


def test_softmax_over_classes_and_background():
    scores = ScoreFusion()(COSINES, OBJECTNESS, 1, TAU)
    p = math.exp(3) / (math.exp(3) + math.exp(1) + math.exp(2))
    assert scores.shape == (2, 2) and scores[0, 0] == pytest.approx(math.sqrt(0.81 * p), rel=1e-5)


def test_weights_lie_between_detector_and_classifier():
    probability = (10 * COSINES).softmax(1)
    assert torch.allclose(ScoreFusion(objectness_weight=0)(COSINES, OBJECTNESS, 0, TAU), probability)
    assert torch.allclose(ScoreFusion(objectness_weight=1)(COSINES, OBJECTNESS, 0, TAU), OBJECTNESS[:, None].expand(2, 3))
    expected = OBJECTNESS[:, None] ** 0.35 * probability**0.65
    assert torch.allclose(ScoreFusion(objectness_weight=0.35)(COSINES, OBJECTNESS, 0, TAU), expected)


def test_sigmoid_judges_each_name_alone():
    fusion = ScoreFusion(kind='sigmoid', objectness_weight=0, multiplier=20.0, midpoint=0.3)
    scores = fusion(COSINES, OBJECTNESS, 0, TAU)
    assert scores[0, 0] == pytest.approx(0.5) and scores[1, 1] == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-5)
    assert torch.allclose(fusion(COSINES[:, :1], OBJECTNESS, 0, TAU), scores[:, :1])
    assert fusion.describe() == dict(kind='sigmoid', objectness_weight=0, multiplier=20.0, midpoint=0.3)
