"""VQA as classification: the loss of transformers' ViLT, gradients, sharing of images, vocabulary in the checkpoint."""

import pytest
import torch
from tiny_meter import ANSWERS, QUESTIONS, make_images, make_samples, tiny_meter
from torch import nn

from florence.models.heads import VQAHead
from florence.tasks.answer_vocabulary import AnswerVocabulary

SCORES = [{'red': 1.0}, {'2': 0.6, 'seven': 0.3, 'elephant': 1.0}, {'yes': 0.9, 'no': 0.3}]


def targets():
    rows = torch.zeros(3, len(ANSWERS))
    for row, scores in enumerate(SCORES):
        for answer, score in scores.items():
            if answer in ANSWERS:
                rows[row, ANSWERS.index(answer)] = score
    return rows


class Fixed(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, features):
        return self.logits


def test_loss_is_that_of_vilt():
    from transformers import ViltConfig, ViltForQuestionAnswering

    config = ViltConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16,
        patch_size=8, num_labels=len(ANSWERS), max_image_length=-1,
    )  # fmt: skip
    vilt = ViltForQuestionAnswering(config).eval()
    peer = vilt(input_ids=torch.randint(0, 50, (3, 5)), pixel_values=torch.randn(3, 3, 16, 16), labels=targets())
    model = tiny_meter()
    model.head.classifier = Fixed(peer.logits.detach())
    losses = model.head.loss(model.encoder, make_images(), make_samples(answer_scores=SCORES))
    assert losses['loss_vqa'].item() == pytest.approx(peer.loss.item(), rel=1e-6)
    chosen = targets()[torch.arange(3), peer.logits.argmax(1)]
    assert losses['vqa_score'].item() == pytest.approx(chosen.mean().item())


def test_gradients_reach_every_parameter():
    model = tiny_meter().train()
    # At 32 px the last map is a single cell, which has no relative positions.
    losses = model(make_images(size=64), make_samples(answer_scores=SCORES), 'loss')
    assert set(losses) == {'loss_vqa', 'vqa_score'} and not losses['vqa_score'].requires_grad
    losses['loss_vqa'].backward()
    without = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.abs().sum() > 0]
    assert without == []


def test_predictions_are_the_best_answers():
    model = tiny_meter()
    images = make_images()
    found = model(images, make_samples(), 'predict')
    with torch.no_grad():
        expected = model.head.classifier(model.encoder.pair_features(images, QUESTIONS)).sigmoid()
    for sample, row in zip(found, expected, strict=True):
        order = row.argsort(descending=True)[:5].tolist()
        assert sample.pred_answers == tuple(ANSWERS[index] for index in order)
        assert sample.pred_answer == sample.pred_answers[0]
        torch.testing.assert_close(torch.tensor(sample.pred_answer_scores), row[order], rtol=1e-5, atol=1e-6)


def test_successive_questions_about_one_image_are_answered_as_one_by_one():
    model = tiny_meter()
    images = make_images(3)[[0, 0, 1, 2, 2, 2, 0]]
    texts = [*QUESTIONS, *QUESTIONS, QUESTIONS[0]]
    encoded = []
    model.encoder.image_tower.register_forward_pre_hook(lambda _, inputs: encoded.append(len(inputs[0])))
    together = model(images, make_samples(texts), 'predict')
    assert encoded == [4]
    for index, text in enumerate(texts):
        (alone,) = model(images[index : index + 1], make_samples([text]), 'predict')
        assert alone.pred_answers == together[index].pred_answers
        torch.testing.assert_close(
            torch.tensor(alone.pred_answer_scores), torch.tensor(together[index].pred_answer_scores), rtol=0, atol=1e-5
        )


def test_a_shared_image_gets_the_gradients_of_all_its_questions():
    found = []
    for order in ([0, 1, 2], [0, 2, 1]):  # the same image in the first and third sample: shared only in the second order
        torch.manual_seed(0)
        model = tiny_meter()
        images = make_images()[[0, 1, 0]]
        texts, scores = ([each[index] for index in order] for each in (QUESTIONS, SCORES))
        model(images[order], make_samples(texts, answer_scores=scores), 'loss')['loss_vqa'].backward()
        found.append([each.grad for each in model.encoder.image_tower.parameters() if each.grad is not None])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-5)


def test_pixels_tell_images_apart_not_names():
    model = tiny_meter()
    images = make_images()
    images[1] = images[0]
    images[1, 2, 31, 31] += 1  # one pixel of an augmented copy
    found = model(images, make_samples([QUESTIONS[0]] * 3, paths=['a'] * 3), 'predict')
    assert len({sample.pred_answer_scores for sample in found}) == 3


def test_faults_are_named(tmp_path):
    model = tiny_meter()
    with pytest.raises(ValueError, match="2 training samples have no answer_scores, e.g. '1'"):
        model(make_images(), make_samples(answer_scores=[SCORES[0], {}, {}]), 'loss')
    with pytest.raises(FileNotFoundError, match='no answer vocabulary at'):
        VQAHead(str(tmp_path / 'none.json'), 8)
    with pytest.raises(ValueError, match='num_top_answers must be 1 or more, got 0'):
        VQAHead(['a', 'b'], 8, num_top_answers=0)
    with pytest.raises(ValueError, match='first_score must lie between 0 and 1, got 1'):
        VQAHead(['a', 'b'], 8, first_score=1.0)
    with pytest.raises(ValueError, match="1 answers occur more than once in the vocabulary, e.g. 'a'"):
        VQAHead(['a', 'a'], 8)


def test_training_questions_out_of_the_vocabulary_are_counted_and_said(monkeypatch):
    said = []
    monkeypatch.setattr('florence.models.heads.vqa_head.print_log', lambda message, **_: said.append(message))
    model = tiny_meter(dict(type='VQAHead', answers=['yes', 'Two']))
    for scores in ([{'yes': 1.0}] * 2 + [{'2': 1.0}], [{'yes': 1.0}, {'red': 1.0}, {'blue': 0.3}], [{'red': 1.0}] * 3):
        model(make_images(), make_samples(answer_scores=scores), 'loss')
    assert model.head.num_unreachable == 5
    assert len(said) == 1 and 'VQAHead: 2 training question(s) had no answer among the 2 of the model' in said[0]


def test_targets_of_an_empty_batch_of_answers():
    module = VQAHead(ANSWERS, 8).answers
    assert module.targets([{}, {'elephant': 1.0}]).tolist() == torch.zeros(2, len(ANSWERS)).tolist()
    assert module.targets(SCORES).tolist() == targets().tolist()


def test_answers_come_from_a_file_and_travel_in_the_checkpoint(tmp_path):
    AnswerVocabulary(ANSWERS).save(tmp_path / 'answers.json')
    head, again = VQAHead(str(tmp_path / 'answers.json'), 8), VQAHead(ANSWERS, 8)
    again.load_state_dict(head.state_dict(), strict=True)
    assert again.num_top_answers == 5 and VQAHead(ANSWERS[:2], 8).num_top_answers == 2
    for other, sentence in (
        ([*ANSWERS[:-1], 'green'], "answer 6 is 'green' here, 'blue' there"),
        (ANSWERS[::-1], "answer 0 is 'blue' here, 'yes' there"),
        ([*ANSWERS, 'green'], "8 answers here, 7 in the checkpoint; answer 7 is 'green' here, nothing there"),
    ):
        with pytest.raises(ValueError, match=sentence):
            VQAHead(other, 8).load_state_dict(head.state_dict())


def test_an_untrained_head_gives_each_answer_its_first_score():
    classifier = VQAHead(ANSWERS, 8, first_score=0.1).classifier
    nn.init.zeros_(classifier[-1].weight)
    torch.testing.assert_close(classifier(torch.randn(3, 16)).sigmoid(), torch.full((3, len(ANSWERS)), 0.1))
