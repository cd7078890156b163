"""Attribute head: hand-computed losses."""

import math

import pytest
import torch

from florence.models.heads import AttributeHead


def head(**options):
    result = AttributeHead(4, 3, 5, class_dims=2, hidden_dims=8, **options)
    torch.nn.init.zeros_(result.classifier.weight)  # logits are the biases
    result.classifier.bias.data = torch.tensor([1.0, 0.0, -1.0, 0.5, 2.0])
    return result


TARGETS = torch.tensor([[1.0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]])
INPUTS = (torch.randn(3, 4), torch.tensor([0, 1, 2]))


def test_softmax_spreads_the_target_and_leaves_out_regions_without_attributes():
    total = math.log(sum(math.exp(value) for value in (1, 0, -1, 0.5, 2)))
    expected = ((total - (1 - 1) / 2) + (total - 2)) / 2
    model = head(loss_weight=0.5)
    assert model.loss(*INPUTS, TARGETS)['loss_attribute'].item() == pytest.approx(0.5 * expected)
    torch.testing.assert_close(model.predict(*INPUTS).sum(1), torch.ones(3))


def test_sigmoid_sums_over_attributes():
    def cost(logit, target):
        return math.log1p(math.exp(-logit if target else logit))

    expected = sum(cost(x, y) for row in (0, 2) for x, y in zip((1, 0, -1, 0.5, 2), TARGETS[row].tolist(), strict=True)) / 2
    model = head(loss='sigmoid', loss_weight=1.0)
    assert model.loss(*INPUTS, TARGETS)['loss_attribute'].item() == pytest.approx(expected)
    assert model.predict(*INPUTS)[0, 0].item() == pytest.approx(1 / (1 + math.exp(-1)))


def test_no_attribute_anywhere_is_a_loss_of_zero_that_can_be_differentiated():
    model = head()
    loss = model.loss(*INPUTS, torch.zeros(3, 5))['loss_attribute']
    loss.backward()
    assert loss.item() == 0 and model.hidden.weight.grad.abs().sum() == 0
    assert model.loss(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 5))['loss_attribute'].item() == 0


def test_the_class_of_the_region_matters():
    model = AttributeHead(4, 3, 5)
    feature = torch.randn(1, 4).expand(2, 4)
    first, second = model(feature, torch.tensor([0, 2]))
    assert not torch.equal(first, second)


def test_unknown_loss():
    with pytest.raises(ValueError, match="'softmax' or 'sigmoid', got 'focal'"):
        AttributeHead(4, 3, 5, loss='focal')
