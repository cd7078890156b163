"""Classes of a sentence about one image or two."""

import pytest
import torch
import torch.nn.functional as F
from tiny_meter import QUESTIONS, SENTENCE, make_images, make_samples, tiny_meter

from florence.models.heads import SentenceHead

TWO = {**SENTENCE, 'num_images': 2}


def pairs(count=3):
    return torch.randn(count, 2, 3, 32, 32)


def test_loss_and_accuracy():
    model, images, labels = tiny_meter(SENTENCE), make_images(), [2, 0, 1]
    losses = model(images, make_samples(gt_label=labels), 'loss')
    logits = model.head.classifier(model.encoder.pair_features(images, QUESTIONS))
    assert losses['loss_sentence'].item() == pytest.approx(F.cross_entropy(logits, torch.tensor(labels)).item(), rel=1e-6)
    right = (logits.argmax(1) == torch.tensor(labels)).float().mean().item()
    assert losses['accuracy'].item() == pytest.approx(right)
    found = model(images, make_samples(), 'predict')
    torch.testing.assert_close(torch.stack([sample.pred_scores for sample in found]), logits.softmax(1).detach())
    assert [int(sample.pred_label) for sample in found] == logits.argmax(1).tolist()


def test_each_image_of_a_pair_has_its_own_token_type():
    model, images = tiny_meter(TWO, num_images=2), pairs()
    text, mask = model.encoder.encode_text(QUESTIONS)
    with torch.no_grad():
        tokens = [model.encoder.encode_image(images[:, 0]), model.encoder.encode_image(images[:, 1])]
        tokens[1] = tokens[1] - model.encoder.token_types.weight[1] + model.encoder.token_types.weight[2]
        features = torch.cat([model.encoder.pool(*model.encoder.fuse(text, each, mask)) for each in tokens], 1)  # (B, 4 D)
        expected = model.head.classifier(features).softmax(1)
    found = model(images, make_samples(), 'predict')
    torch.testing.assert_close(torch.stack([sample.pred_scores for sample in found]), expected, rtol=0, atol=1e-5)
    swapped = model(images.flip(1), make_samples(), 'predict')
    assert (torch.stack([sample.pred_scores for sample in swapped]) - expected).abs().max() > 1e-3


def test_gradients_reach_both_token_types():
    model = tiny_meter(TWO, num_images=2).train()
    model(pairs(), make_samples(gt_label=[0, 1, 2]), 'loss')['loss_sentence'].backward()
    assert (model.encoder.token_types.weight.grad.abs().sum(1) > 0).all()
    assert all(each.grad.abs().sum() > 0 for each in model.head.parameters())


def test_the_second_image_starts_as_the_first_when_a_checkpoint_knows_one():
    one, two = tiny_meter(SENTENCE), tiny_meter(TWO, num_images=2)
    state = one.encoder.state_dict()
    before = {name: value.clone() for name, value in state.items()}
    two.encoder.load_state_dict(state, strict=True)
    types = two.encoder.token_types.weight
    torch.testing.assert_close(types[:2], one.encoder.token_types.weight, rtol=0, atol=0)
    torch.testing.assert_close(types[2], types[1], rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in state.items())  # the caller's own weights stay
    assert not torch.equal(tiny_meter(TWO, num_images=2).encoder.token_types.weight[2], types[1])


def test_faults_are_named():
    model = tiny_meter(SENTENCE)
    for label in (3, -1):
        with pytest.raises(ValueError, match=f"sample '1' has gt_label {label}, expected 0 to 2 for"):
            model(make_images(), make_samples(gt_label=[0, label, 1]), 'loss')
    with pytest.raises(ValueError, match="sample '0' has gt_label None"):
        model(make_images(), make_samples(), 'loss')
    with pytest.raises(ValueError, match=r'SentenceHead needs 1 image\(s\) a sample, got 2'):
        model(pairs(), make_samples(), 'predict')
    with pytest.raises(ValueError, match=r'SentenceHead needs 2 image\(s\) a sample, got 1'):
        tiny_meter(TWO, num_images=2)(make_images(), make_samples(), 'predict')


def test_faults_of_a_config_are_named():
    for classes in ((), ('a',), ('a', 'a'), 'yes'):
        with pytest.raises(ValueError, match='needs two or more distinct classes'):
            SentenceHead(classes, 8)
    with pytest.raises(ValueError, match='num_images=1, its task asks for image 2 of a sample: set num_images'):
        tiny_meter(TWO)(pairs(), make_samples(), 'predict')
