"""The text tower alone; parity with open_clip and transformers is in test_converters/test_clip_text.py."""

import copy

import pytest
import torch
from torch import nn

from florence.models.language.text_transformer import ARCHS, TextTransformer
from florence.registry import MODELS

SIZES = dict(vocab_size=50, context_length=12, embed_dims=16, num_layers=2, num_heads=2, mlp_dims=32)
FORMS = [(True, 'eot'), (True, 'mean'), (False, 'eot'), (False, 'first'), (False, 'mean')]


def tower(**kwargs) -> TextTransformer:
    """Small tower with residual branches large enough that every wrong path shows."""
    model = TextTransformer(**{**SIZES, **kwargs}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def batch(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(lengths)
    mask = (torch.arange(length) < torch.tensor(lengths)[:, None]).long()
    return torch.randint(1, 50, (len(lengths), length)) * mask, mask


@pytest.mark.parametrize(('causal', 'pool'), FORMS)
def test_mixed_lengths_equal_one_by_one(causal, pool):
    model = tower(causal=causal, pool=pool)
    ids, mask = batch([12, 5, 3, 9])
    pooled, tokens = model(ids, mask, return_tokens=True)
    for row, length in enumerate([12, 5, 3, 9]):
        alone, alone_tokens = model(ids[row : row + 1, :length], mask[row : row + 1, :length], return_tokens=True)
        torch.testing.assert_close(pooled[row], alone[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(tokens[row, :length], alone_tokens[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(('causal', 'pool'), FORMS)
def test_padding_never_reaches_kept_positions(causal, pool):
    model = tower(causal=causal, pool=pool)
    ids, mask = batch([9, 4])
    changed = torch.where(mask.bool(), ids, 49)
    assert not torch.equal(ids, changed)
    pooled, tokens = model(ids, mask, return_tokens=True)
    pooled2, tokens2 = model(changed, mask, return_tokens=True)
    assert torch.equal(pooled, pooled2)
    assert torch.equal(tokens[mask.bool()], tokens2[mask.bool()])


def test_causal_sees_only_the_past():
    ids, mask = batch([10])
    changed = ids.clone()
    changed[0, 6] = (ids[0, 6] + 1) % 50
    for causal in (True, False):
        model = tower(causal=causal)
        difference = (model(ids, mask, True)[1] - model(changed, mask, True)[1])[0].abs().amax(1)
        assert (difference[6:] > 1e-4).all()
        assert (difference[:6] == 0).all() if causal else (difference[:6] > 1e-4).all()


def test_pools():
    ids, mask = batch([7, 4])
    for pool, expected in (
        ('eot', lambda t: torch.stack([t[0, 6], t[1, 3]])),
        ('first', lambda t: t[:, 0]),
        ('mean', lambda t: torch.stack([t[0].mean(0), t[1, :4].mean(0)])),
    ):
        pooled, tokens = tower(causal=False, pool=pool)(ids, mask, return_tokens=True)
        torch.testing.assert_close(pooled, expected(tokens))


def test_eot_need_not_be_the_largest_id():
    model = tower()
    ids = torch.tensor([[1, 49, 48, 2, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0]])
    pooled, tokens = model(ids, mask, return_tokens=True)
    assert torch.equal(pooled[0], tokens[0, 3])


def test_bool_mask_equals_integer_mask():
    model = tower(causal=False, pool='mean')
    ids, mask = batch([7, 4])
    assert torch.equal(model(ids, mask), model(ids, mask.bool()))


def test_final_norm_comes_before_pooling():
    model = tower()
    nn.init.ones_(model.norm.weight)
    nn.init.zeros_(model.norm.bias)
    pooled = model(*batch([7, 4]))
    torch.testing.assert_close(pooled.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled.var(1, unbiased=False), torch.ones(2), atol=1e-3, rtol=0)


def test_gradient_reaches_every_parameter_and_checkpointing_changes_nothing():
    plain = TextTransformer(**SIZES)
    recomputed = copy.deepcopy(plain)
    recomputed.with_cp = True
    ids, mask = batch([12, 5, 12])
    outputs = [model(ids, mask) for model in (plain, recomputed)]
    for output in outputs:
        output.square().sum().backward()
    assert torch.equal(*outputs)
    for (name, ours), theirs in zip(plain.named_parameters(), recomputed.parameters(), strict=True):
        assert ours.grad.abs().sum() > 0, name
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_checkpointing_repeats_the_drawn_paths():
    model = TextTransformer(**SIZES, drop_path_rate=0.5)
    recomputed = copy.deepcopy(model)
    recomputed.with_cp = True
    ids, mask = batch([12] * 16)
    grads = []
    for m in (model, recomputed):
        torch.manual_seed(1)
        m(ids, mask).sum().backward()
        grads.append(m.token_embedding.weight.grad)
    torch.testing.assert_close(*grads)
    assert not torch.equal(model(ids, mask), model.eval()(ids, mask))


def test_drop_path_rises_linearly():
    model = TextTransformer(**{**SIZES, 'num_layers': 5}, drop_path_rate=0.4)
    assert [block.drop_path.drop_prob for block in model.blocks] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_half_precision_stays_close():
    model = tower()
    ids, mask = batch([12, 5])
    reference = model(ids, mask)
    half = copy.deepcopy(model).bfloat16()(ids, mask)
    assert half.dtype == torch.bfloat16
    assert torch.cosine_similarity(reference, half.float()).min() > 0.99


def test_parameter_counts():
    def count(arch: str, context_length: int = 77) -> int:
        with torch.device('meta'):
            model = TextTransformer(arch, context_length=context_length)
        return sum(p.numel() for p in model.parameters())

    assert count('huge') == pytest.approx(255.4e6, rel=0.002)
    # The text part of OpenAI's CLIP ViT-B/32 and ViT-L/14 without the projection, to the parameter.
    assert count('base') == count('tiny') == count('small') == 63_165_952
    assert count('large') == 123_060_480
    assert count('nano') < 2.5e6


def test_initial_scales_are_those_of_clip():
    model = TextTransformer(vocab_size=500, embed_dims=256, num_layers=6, num_heads=4, mlp_dims=1024)
    block = model.blocks[3]
    for tensor, std in (
        (model.token_embedding.weight, 0.02),
        (model.positional_embedding, 0.01),
        (block.attn.qkv.weight, 256**-0.5),
        (block.attn.proj.weight, 256**-0.5 * 12**-0.5),
        (block.mlp.fc1.weight, 512**-0.5),
        (block.mlp.fc2.weight, 256**-0.5 * 12**-0.5),
    ):
        assert tensor.std().item() == pytest.approx(std, rel=0.03)
    before = copy.deepcopy(model.state_dict())
    model.init_weights()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_built_by_name_with_sizes_overridden():
    model = MODELS.build(dict(type='florence.TextTransformer', arch='nano', vocab_size=300, num_layers=1))
    assert len(model.blocks) == 1
    assert model.token_embedding.weight.shape == (300, ARCHS['nano']['embed_dims'])
    assert model.context_length == 76


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(arch='giant'), "unknown arch 'giant'"),
        (dict(vocab_size=9, embed_dims=8), 'needs mlp_dims, num_heads'),
        (dict(**{**SIZES, 'num_heads': 3}), 'num_heads=3 must divide embed_dims=16'),
        (dict(**SIZES, act='swish'), "unknown act 'swish'"),
        (dict(**SIZES, pool='last'), "unknown pool 'last'"),
        (dict(**SIZES, pool='first'), 'needs causal=False'),
    ],
)
def test_wrong_settings_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TextTransformer(**kwargs)


def test_wrong_inputs_are_named():
    model = tower()
    ids = torch.ones(1, 13, dtype=torch.int64)
    with pytest.raises(ValueError, match='13 tokens, the tower has 12 positions'):
        model(ids, ids)
    with pytest.raises(ValueError, match=r'got \(1, 5\) and \(1, 4\)'):
        model(ids[:, :5], ids[:, :4])
    for mask in ([[0, 1, 1]], [[1, 0, 1]], [[0, 0, 0]]):
        with pytest.raises(ValueError, match='pad texts on the right'):
            model(ids[:, :3], torch.tensor(mask))
