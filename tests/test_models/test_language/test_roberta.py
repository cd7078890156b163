"""RobertaEncoder equals transformers' RobertaModel, whatever the pad id, and loads its weights."""

import pytest
import torch

from florence.models.language import RobertaEncoder
from florence.registry import MODELS

SIZES = dict(vocab_size=120, embed_dims=32, num_layers=3, num_heads=4, mlp_dims=64, context_length=20)


@pytest.fixture
def batch():
    mask = (torch.arange(9) < torch.tensor([9, 4, 2])[:, None]).long()
    return torch.randint(4, 120, (3, 9)), mask


def peer_of(encoder: RobertaEncoder):
    """A RobertaModel with the configuration and the weights of the encoder."""
    from transformers import RobertaModel

    peer = RobertaModel(encoder.model.config, add_pooling_layer=False).eval()
    peer.load_state_dict(encoder.model.state_dict())
    return peer


@pytest.mark.parametrize('pad_id', [0, 1, 7])
def test_equals_roberta_model_with_any_pad_id(batch, pad_id):
    ids, mask = batch
    encoder = MODELS.build(dict(type='florence.RobertaEncoder', **SIZES)).eval()
    expected = peer_of(encoder)(input_ids=ids.masked_fill(mask == 0, 1), attention_mask=mask).last_hidden_state
    pooled, tokens = encoder(ids.masked_fill(mask == 0, pad_id), mask, return_tokens=True)
    assert (tokens - expected)[mask.bool()].abs().max() < 1e-6
    assert torch.equal(pooled, tokens[:, 0]) and torch.equal(encoder(ids, mask), pooled)


def test_positions_count_kept_tokens_from_two(batch):
    """A text must not change with the length of its batch; RoBERTa's first position is row 2."""
    ids, mask = batch
    encoder = RobertaEncoder(**SIZES).eval()
    seen = []
    encoder.model.embeddings.position_embeddings.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    alone = encoder(ids[1:2, :4], mask[1:2, :4], return_tokens=True)[1]
    together = encoder(ids, mask, return_tokens=True)[1]
    assert seen[0].tolist() == [[2, 3, 4, 5]] and seen[1][1].tolist() == [2, 3, 4, 5, 1, 1, 1, 1, 1]
    assert (together[1, :4] - alone[0]).abs().max() < 1e-6


def test_every_token_learns(batch):
    """RobertaModel holds the row of its pad id at zero; here that may be a word."""
    encoder = RobertaEncoder(**SIZES)
    ids = torch.full((1, 3), 1)
    encoder(ids, torch.ones_like(ids)).sum().backward()
    assert encoder.token_embedding.weight.grad[1].abs().sum() > 0
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_checkpointing_changes_nothing(batch):
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        encoder = RobertaEncoder(**SIZES, drop_rate=0.0, attn_drop_rate=0.0, with_cp=with_cp).train()
        encoder(*batch).square().sum().backward()
        gradients.append([parameter.grad for parameter in encoder.parameters()])
    assert all(torch.allclose(left, right, atol=1e-7) for left, right in zip(*gradients, strict=True))


def test_sizes_are_those_of_roberta():
    with torch.device('meta'):
        counts = [sum(p.numel() for p in RobertaEncoder(arch).parameters()) for arch in ('base', 'large')]
    # RobertaModel's published 124,645,632 and 355,359,744 less their poolers, 768 x 769 and 1024 x 1025.
    assert counts == [124_645_632 - 768 * 769, 355_359_744 - 1024 * 1025]


def test_pretrained_weights_and_sizes(batch, tmp_path):
    from transformers import RobertaModel

    source = RobertaEncoder(**SIZES).eval()
    RobertaModel.save_pretrained(source.model, tmp_path)
    encoder = RobertaEncoder(pretrained=str(tmp_path)).eval()
    assert (encoder.context_length, encoder.embed_dims, encoder.vocab_size) == (20, 32, 120)
    assert not torch.equal(encoder(*batch), source(*batch))
    encoder.init_weights()
    assert torch.equal(encoder(*batch), source(*batch))
    with pytest.raises(ValueError, match='has other sizes than this tower'):
        RobertaEncoder(**{**SIZES, 'num_layers': 2}, pretrained=str(tmp_path)).init_weights()
    with pytest.raises(ValueError, match='has other sizes than this tower, e.g. in embeddings.position'):
        RobertaEncoder(**{**SIZES, 'context_length': 30}, pretrained=str(tmp_path)).init_weights()


def test_weights_that_are_not_there_are_not_started_anew(batch, tmp_path):
    from safetensors.torch import load_file, save_file
    from transformers import RobertaForMaskedLM

    encoder = RobertaEncoder(**SIZES)
    language_model = RobertaForMaskedLM(encoder.model.config)
    language_model.save_pretrained(tmp_path)  # as the hub has it: with the prefix `roberta.`, and with a head
    encoder = RobertaEncoder(**SIZES, pretrained=str(tmp_path))
    encoder.init_weights()
    name = 'encoder.layer.0.output.dense.weight'
    assert torch.equal(encoder.model.get_parameter(name), language_model.roberta.get_parameter(name))
    file = tmp_path / 'model.safetensors'
    weights = load_file(file)
    save_file({key.replace('roberta.', 'bert.'): value for key, value in weights.items()}, file, metadata={'format': 'pt'})
    with pytest.raises(ValueError, match='holds no weights of 53 parameters, e.g. embeddings.LayerNorm.bias'):
        encoder.init_weights()
    file.write_bytes(b'broken')
    with pytest.raises(ValueError, match='cannot be read .*: fetch them again'):
        encoder.init_weights()


def test_the_model_is_initialised_from_the_pretrained_weights(tmp_path):
    """mmengine's init_weights of a model reaches the tower and leaves RobertaModel's own method alone."""
    from mmengine.model import BaseModule

    RobertaEncoder(**SIZES).model.save_pretrained(tmp_path)
    model = BaseModule()
    model.text_tower = RobertaEncoder(**SIZES, pretrained=str(tmp_path))
    model.init_weights()
    expected = RobertaEncoder(pretrained=str(tmp_path))
    expected.init_weights()
    found = model.text_tower.state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.state_dict().items())


def test_depth_of_parameters():
    encoder = RobertaEncoder(**SIZES)
    depths = {name: encoder.parameter_depth(name) for name, _ in encoder.named_parameters()}
    assert depths['model.embeddings.word_embeddings.weight'] == depths['model.embeddings.LayerNorm.bias'] == (0, 3)
    assert depths['model.encoder.layer.0.attention.self.query.weight'] == (1, 3)
    assert depths['model.encoder.layer.2.output.dense.bias'] == (3, 3)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(arch='huge'), ValueError, "unknown arch 'huge' of RobertaEncoder"),
        (dict(embed_dims=32), ValueError, 'needs mlp_dims, num_heads, num_layers, vocab_size, or an arch'),
        (dict(arch='base', num_heads=7), ValueError, 'num_heads=7 must divide embed_dims=768'),
        (dict(pretrained='/no/such/folder'), FileNotFoundError, "no RoBERTa configuration '/no/such/folder'"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        RobertaEncoder(**options)


def test_bad_input(batch, tmp_path):
    encoder, (ids, mask) = RobertaEncoder(**SIZES), batch
    with pytest.raises(ValueError, match=r'must both be \(B, L\)'):
        encoder(ids, mask[:, :3])
    with pytest.raises(ValueError, match='21 tokens, RobertaEncoder has 20 positions'):
        encoder(torch.ones(1, 21, dtype=torch.long), torch.ones(1, 21, dtype=torch.long))
    with pytest.raises(FileNotFoundError, match='no RoBERTa model'):
        RobertaEncoder(**SIZES, pretrained=str(tmp_path)).init_weights()
