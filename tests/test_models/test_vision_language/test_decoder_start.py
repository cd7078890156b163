"""What a caption decoder takes from an encoder, and when."""

import pytest
import torch
from tiny_captioner import ROBERTA, TRANSFORMER, tiny_captioner

from florence.models.vision_language.decoder_start import text_embeddings

towers = pytest.mark.parametrize('text_tower', [TRANSFORMER, ROBERTA], ids=['TextTransformer', 'RoBERTa'])


def assert_starts_from_encoder(model):
    decoder, encoder = model.head.decoder, model.encoder
    text = encoder.fusion.text_layers.state_dict()
    assert text and all(torch.equal(weight, text[name]) for name, weight in decoder.layers.state_dict().items())
    assert torch.equal(decoder.embedding.proj.weight, encoder.text_proj.weight)
    assert torch.equal(decoder.embedding.proj.bias, encoder.text_proj.bias + encoder.token_types.weight[0])


@towers
@torch.no_grad()
def test_embeddings_are_those_of_the_tower(text_tower):
    model = tiny_captioner(text_tower=text_tower)
    model.init_weights()
    ids = torch.randint(3, 300, (2, 7))
    embedding, tower = model.head.decoder.embedding, model.encoder.text_tower
    if text_tower is ROBERTA:
        expected = tower.model.embeddings(input_ids=ids, position_ids=torch.arange(2, 9).expand(2, -1))
    else:
        expected = tower.token_embedding(ids) + tower.positional_embedding[:7]
    expected = model.encoder.text_proj(expected) + model.encoder.token_types.weight[0]
    torch.testing.assert_close(embedding(ids), expected)
    torch.testing.assert_close(embedding(ids[:, 3:], start=3), expected[:, 3:])


def test_init_weights_starts_from_the_encoder():
    model = tiny_captioner()
    with pytest.raises(AssertionError):
        assert_starts_from_encoder(model)
    model.init_weights()
    assert_starts_from_encoder(model)


@pytest.mark.parametrize('loader', ['torch', 'mmengine'])
def test_a_checkpoint_of_another_task_starts_the_decoder(loader):
    from mmengine.runner.checkpoint import load_state_dict

    other = {name: weight for name, weight in tiny_captioner().state_dict().items() if name.startswith('encoder.')}
    weights = {name: weight + 1 for name, weight in other.items() if weight.is_floating_point()}
    weights['head.classifier.weight'] = torch.zeros(3)
    model = tiny_captioner()
    model.load_state_dict(weights, strict=False) if loader == 'torch' else load_state_dict(model, weights, strict=False)
    assert torch.equal(model.encoder.text_proj.weight, weights['encoder.text_proj.weight'])
    assert_starts_from_encoder(model)


def test_trained_weights_are_never_overwritten():
    trained = tiny_captioner()
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    model = tiny_captioner()
    model.init_weights()
    model.load_state_dict(state)  # as a resume and an evaluation do
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_own_checkpoint_as_init_cfg_wins_over_the_start(tmp_path):
    trained = tiny_captioner()
    torch.save({'state_dict': trained.state_dict()}, tmp_path / 'trained.pth')
    model = tiny_captioner()
    model.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
    model.init_weights()
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in model.state_dict().items())


def test_merged_layers_give_self_attention_and_mlp():
    model = tiny_captioner(mode='merged_attention')
    cross = model.head.decoder.layers[0].cross_attn.query.weight.clone()
    model.init_weights()
    for own, merged in zip(model.head.decoder.layers, model.encoder.fusion.merged_layers, strict=True):
        assert all(torch.equal(own.state_dict()[name], weight) for name, weight in merged.state_dict().items())
    assert torch.equal(model.head.decoder.layers[0].cross_attn.query.weight, cross)


def test_an_unknown_tower_is_refused():
    with pytest.raises(ValueError, match='TextTransformer or a RobertaEncoder'):
        text_embeddings({'text_tower.words': torch.zeros(1)})
