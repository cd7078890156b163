"""Against mmdet's FocalLoss, against autograd's numeric derivative, and what the scales do."""

import pytest
import torch
from mmdet.models.losses import FocalLoss
from mmengine.structures import BaseDataElement

from florence.models.losses.federated_focal import FederatedFocalLoss, image_negative_weights


def batch(num_rows=24, num_classes=5):
    logits = (4 * torch.randn(num_rows, num_classes, dtype=torch.float64)).requires_grad_()
    return logits, torch.randint(0, num_classes + 1, (num_rows,)), torch.rand(num_rows, dtype=torch.float64)


@pytest.mark.parametrize('num_classes', [1, 5])
@pytest.mark.parametrize('gamma', [2.0, 1.5])
@pytest.mark.parametrize(('reduction', 'avg_factor'), [('mean', 3.0), ('mean', None), ('sum', None), ('none', None)])
def test_without_scales_it_is_mmdet_s(num_classes, gamma, reduction, avg_factor):
    logits, target, weight = batch(num_classes=num_classes)
    results = []
    for loss in (FocalLoss, FederatedFocalLoss):
        module = loss(gamma=gamma, alpha=0.3, loss_weight=0.7, reduction=reduction)
        value = module(logits, target, weight, avg_factor=avg_factor)
        results.append((value, torch.autograd.grad(value.square().sum(), logits)[0]))
    for theirs, ours in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_derivative_with_scales():
    logits, target, weight = batch()
    loss = FederatedFocalLoss()
    with loss.per_image(torch.rand(4, 5), torch.rand(4, 5)):
        assert torch.autograd.gradcheck(lambda x: loss(x, target, weight, reduction_override='none'), (logits,))


def test_unchecked_classes_are_no_negatives_and_positives_count_by_their_weight():
    logits, target, _ = batch(num_rows=6, num_classes=2)
    target[:] = torch.tensor([0, 1, 2, 0, 1, 2])  # 2 = background
    loss = FederatedFocalLoss(reduction='none')
    plain = loss(logits, target)
    with loss.per_image(torch.tensor([[0.0, 1.0], [0.25, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.5]])):
        scaled = loss(logits, target)
    factors = torch.tensor([[1, 1], [0, 1], [0, 1], [1, 1], [0.25, 0.5], [0.25, 1]], dtype=torch.float64)
    torch.testing.assert_close(scaled, plain * factors, rtol=1e-6, atol=0)
    torch.testing.assert_close(loss(logits, target), plain)  # the block is over


def test_no_gradient_reaches_an_unchecked_class():
    logits, target, _ = batch(num_rows=4, num_classes=3)
    target[:] = 0
    loss = FederatedFocalLoss()
    with loss.per_image(torch.tensor([[1.0, 0.0, 1.0]])):
        loss(logits, target).backward()
    assert (logits.grad[:, 1] == 0).all() and (logits.grad[:, [0, 2]] != 0).all()


def test_extreme_and_half_precision_logits():
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = FederatedFocalLoss(reduction='sum')(logits, torch.tensor([1, 0]))
    loss.backward()
    torch.testing.assert_close(loss, torch.tensor(2 * 200 * 0.25 + 2 * 200 * 0.75))
    assert logits.grad.isfinite().all()
    half = torch.randn(8, 3).bfloat16().requires_grad_()
    value = FederatedFocalLoss()(half, torch.tensor([0, 1, 2, 3] * 2))
    value.backward()
    assert value.dtype == torch.float32 and half.grad.dtype == torch.bfloat16


def test_weight_of_the_background_of_an_image():
    samples = [BaseDataElement(metainfo=dict(negative_weight=0.25)), BaseDataElement()]
    assert image_negative_weights(samples).tolist() == [[0.25], [1.0]]
    logits, target, _ = batch(num_rows=4, num_classes=1)
    target[:] = 1
    loss = FederatedFocalLoss(reduction='none')
    plain = loss(logits, target)
    with loss.per_image(image_negative_weights(samples)):
        torch.testing.assert_close(loss(logits, target), plain * torch.tensor([0.25, 0.25, 1, 1], dtype=torch.float64)[:, None])


def test_mistakes_get_a_sentence():
    logits, target, _ = batch(num_rows=5, num_classes=2)
    with pytest.raises(ValueError, match='use_sigmoid=True'):
        FederatedFocalLoss(use_sigmoid=False)
    with pytest.raises(ValueError, match='reduction must be'):
        FederatedFocalLoss(reduction='max')
    with pytest.raises(ValueError, match='not .sum.'):
        FederatedFocalLoss(reduction='sum')(logits, target, avg_factor=2)
    with pytest.raises(ValueError, match='expected logits'):
        FederatedFocalLoss()(logits, logits)
    loss = FederatedFocalLoss()
    with pytest.raises(ValueError, match='2 images and 2 classes, but there are 5 rows'), loss.per_image(torch.ones(2, 2)):
        loss(logits, target)
    with pytest.raises(ValueError, match=r'\(images, classes\)'), loss.per_image(torch.ones(2)):
        pass
