"""METER's model: what each mode gives, one task on one encoder, which parameters never decay, learning."""

import pytest
import torch
from tiny_meter import ANSWERS, SENTENCE, VQA, encoder_config, make_images, make_samples, tiny_meter

from florence.models.data_preprocessors import ImageTextPreprocessor
from florence.models.heads import SentenceHead, VQAHead
from florence.models.vision_language import METEREncoder, METERModel


def test_modes():
    model, images = tiny_meter(), make_images()
    scores = [{'red': 1.0}] * 3
    assert set(model(images, make_samples(answer_scores=scores), 'loss')) == {'loss_vqa', 'vqa_score'}
    assert [sample.pred_answer in ANSWERS for sample in model(images, make_samples(), 'predict')] == [True] * 3
    torch.testing.assert_close(model(images), model.encoder.encode_image(images), rtol=0, atol=0)
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor', got 'train'"):
        model(images, None, 'train')


def test_parts_may_be_given_built_and_the_head_is_told_the_width():
    encoder = METEREncoder(**encoder_config())
    head = SentenceHead(('a', 'b'), encoder.embed_dims, hidden_dims=8)
    model = METERModel(encoder, head, data_preprocessor=dict(type='ImageTextPreprocessor', mean=(1, 2, 3)))
    assert model.encoder is encoder and model.head is head and model.tokenizer is encoder.tokenizer
    assert model.data_preprocessor.mean.flatten().tolist() == [1, 2, 3]
    built = METERModel(encoder_config(), {**VQA, 'hidden_dims': 24})
    assert isinstance(built.head, VQAHead) and isinstance(built.data_preprocessor, ImageTextPreprocessor)
    assert [tuple(each.weight.shape) for each in (built.head.classifier[0], built.head.classifier[3])] == [(24, 64), (7, 24)]


def test_test_step_normalises_on_the_way():
    model = tiny_meter()
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    found = model.test_step({'inputs': list(images), 'data_samples': make_samples()})
    plain = ImageTextPreprocessor()
    expected = model((images.float() - plain.mean) / plain.std, make_samples(), 'predict')
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.pred_answer == theirs.pred_answer
        assert ours.pred_answer_scores == pytest.approx(theirs.pred_answer_scores, abs=1e-5)


def test_text_embeddings_and_token_types_never_decay():
    model = tiny_meter()
    names = model.no_weight_decay()
    assert names <= {name for name, _ in model.named_parameters()}
    assert names == {
        'encoder.text_tower.token_embedding.weight', 'encoder.text_tower.positional_embedding', 'encoder.token_types.weight',
    }  # fmt: skip


def test_a_head_of_another_task_does_not_load():
    with pytest.raises(RuntimeError, match='head.classifier'):
        tiny_meter().load_state_dict(tiny_meter(SENTENCE).state_dict())


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_it_learns_what_neither_image_nor_question_tells_alone(mode):
    """Is it bright? / dark? about bright and dark images: the answer needs both."""
    model = tiny_meter(dict(type='VQAHead', answers=['yes', 'no']), mode=mode)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def batch():
        bright, asked = torch.randint(0, 2, (2, 16)).bool()
        images = torch.where(bright, 1.0, -1.0)[:, None, None, None] + 0.3 * torch.randn(16, 3, 32, 32)
        answers = ['yes' if each else 'no' for each in (bright == asked).tolist()]
        questions = ['is it bright?' if each else 'is it dark?' for each in asked.tolist()]
        return images, make_samples(questions, answer_scores=[{answer: 1.0} for answer in answers]), answers

    model.train()
    for _ in range(40):
        images, samples, _ = batch()
        loss = model(images, samples, 'loss')['loss_vqa']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    right = []
    for _ in range(4):
        images, samples, answers = batch()
        right += [sample.pred_answer == answer for sample, answer in zip(model(images, samples, 'predict'), answers, strict=True)]
    assert sum(right) / len(right) > 0.95
