"""The served focal losses against autograd of the plain formula."""

import mmcv.ops
import pytest
import torch


def sigmoid_focal(logits, target, gamma, alpha, weight):
    p = logits.sigmoid()
    hit = target[:, None] == torch.arange(logits.size(1))
    loss = torch.where(hit, -alpha * (1 - p) ** gamma * p.log(), -(1 - alpha) * p**gamma * (1 - p).log())
    return loss if weight is None else loss * weight[target][:, None]


def softmax_focal(logits, target, gamma, alpha, weight):
    p = logits.softmax(dim=1)[torch.arange(len(target)), target.clamp(min=0)]
    loss = -alpha * (1 - p) ** gamma * p.log()
    if weight is not None:
        loss = loss * weight[target.clamp(min=0)]
    return loss * (target >= 0)


# mmcv's own backward of the unreduced softmax form fails: it multiplies (N, C) by (N,)
@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize(
    ('kind', 'reduction'),
    [('sigmoid', 'none'), ('sigmoid', 'mean'), ('sigmoid', 'sum'), ('softmax', 'mean'), ('softmax', 'sum')],
)
def test_focal_loss_equals_formula(kind, weighted, reduction):
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    # the last label is background (sigmoid) or ignored (softmax)
    target = torch.tensor([0, 3, 2, 1, 3, 0 if weighted else 4 if kind == 'sigmoid' else -1])
    weight = torch.rand(4, dtype=torch.float64) + 0.5 if weighted else None
    op, formula = {
        'sigmoid': (mmcv.ops.sigmoid_focal_loss, sigmoid_focal),
        'softmax': (mmcv.ops.softmax_focal_loss, softmax_focal),
    }[kind]
    actual = op(logits, target, 2.0, 0.25, weight, reduction)
    expected = formula(logits, target, 2.0, 0.25, weight)
    expected = {'none': expected, 'mean': expected.sum() / 6, 'sum': expected.sum()}[reduction]
    torch.testing.assert_close(actual, expected)
    weights = torch.randn_like(actual)
    (gradient,) = torch.autograd.grad((actual * weights).sum(), logits)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), logits)
    torch.testing.assert_close(gradient, expected_gradient)


def test_sigmoid_focal_loss_equals_torchvision():
    import torchvision

    logits, target = torch.randn(8, 5), torch.randint(0, 6, (8,))
    expected = torchvision.ops.sigmoid_focal_loss(logits, torch.eye(6)[target, :5], alpha=0.3, gamma=1.5)
    actual = mmcv.ops.sigmoid_focal_loss(logits, target, 1.5, 0.3, None, 'none')
    torch.testing.assert_close(actual, expected)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    for label in (0, 1):
        loss = mmcv.ops.sigmoid_focal_loss(logits, torch.tensor([label]), 2.0, 0.25, None, 'sum')
        loss.backward()
        assert loss.isfinite() and logits.grad.isfinite().all()


def test_weight_without_a_class_for_the_label_is_an_error():
    with pytest.raises(ValueError, match=r'labels in \[0, 3\).*span \[0, 3\]'):
        mmcv.ops.sigmoid_focal_loss(torch.randn(2, 3), torch.tensor([0, 3]), 2.0, 0.25, torch.ones(3))
