"""Attention of words to cells: by hand, equal to what the fusion itself computes with, drawn without loss."""

import math

import pytest
import torch

from florence.models.fusion import Attention, METERFusion, cross_attention_weights
from florence.models.fusion.attention_maps import attention_weights, heat_over_image

MODES = ['co_attention', 'merged_attention']


def fusion(mode, **options):
    model = METERFusion(16, num_layers=2, num_heads=4, mode=mode, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def inputs():
    return torch.randn(3, 5, 16), torch.randn(3, 7, 16), torch.tensor([[1] * 5, [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]])


def test_first_layer_by_hand():
    model, (text, image, mask) = fusion('co_attention'), inputs()
    layer = model.text_layers[0]
    with torch.no_grad():
        found = cross_attention_weights(model, text, image, mask)
        x = layer.attend_self(text, layer.self_attn.keys_values(text), mask[:, None, None].bool())
        queries, keys = layer.cross_attn.query(x), layer.cross_attn.key_value(image)[..., :16]
    assert found.shape == (2, 3, 4, 5, 7)
    for head in range(4):
        part = slice(4 * head, 4 * head + 4)
        for row in range(5):
            scores = torch.stack([(queries[1, row, part] * keys[1, cell, part]).sum() / math.sqrt(4) for cell in range(7)])
            torch.testing.assert_close(found[0, 1, head, row], scores.exp() / scores.exp().sum(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('mode', MODES)
@torch.no_grad()
def test_rows_are_shares_and_nothing_is_left_behind(mode):
    model, (text, image, mask) = fusion(mode), inputs()
    before = model(text, image, mask)
    found = cross_attention_weights(model, text, image, mask)
    sums = found.sum(-1)
    if mode == 'co_attention':
        torch.testing.assert_close(sums, torch.ones_like(sums))
    else:
        assert (sums > 0).all() and (sums < 1).all()
    torch.testing.assert_close(model(text, image, mask), before, rtol=0, atol=0)
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize('masked', [False, True])
@torch.no_grad()
def test_the_weights_give_the_output_of_the_attention(masked):
    attention = Attention(16, 4)
    x, memory = torch.randn(3, 5, 16), torch.randn(3, 7, 16)
    mask = torch.arange(7) < torch.tensor([3, 7, 1])[:, None, None, None] if masked else None
    keys, values = attention.keys_values(memory)
    weights = attention_weights(attention, x, (keys, values), mask)
    output = attention.proj((weights @ values).transpose(1, 2).flatten(2))  # (B, H, L, d) -> (B, L, D)
    torch.testing.assert_close(output, attention(x, (keys, values), mask), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 5))


@torch.no_grad()
def test_merged_attention_is_the_text_to_image_part():
    model, (text, image, mask) = fusion('merged_attention'), inputs()
    layer = model.merged_layers[0]
    whole = torch.cat([text, image], 1)
    keep = torch.cat([mask, torch.ones(3, 7)], 1)[:, None, None].bool()
    keys = layer.self_attn.keys_values(whole)
    expected = attention_weights(layer.self_attn, whole, keys, keep)
    found = cross_attention_weights(model, text, image, mask)[0]
    torch.testing.assert_close(found, expected[:, :, :5, 5:])
    torch.testing.assert_close(expected[:, :, :5, :5].sum(-1) + found.sum(-1), torch.ones(3, 4, 5))
    assert (expected[1, :, :, 2:5] == 0).all()  # padding gets nothing


@torch.no_grad()
def test_padding_and_recomputation_change_nothing():
    model, (text, image, mask) = fusion('co_attention', with_cp=True), inputs()
    found = cross_attention_weights(model, text, image, mask)
    alone = cross_attention_weights(model, text[1:2, :2], image[1:2])
    torch.testing.assert_close(found[:, 1:2, :, :2], alone, rtol=1e-5, atol=1e-6)


def test_an_error_leaves_no_hook():
    model, (text, image, mask) = fusion('co_attention'), inputs()
    with pytest.raises(ValueError, match='text_mask must have shape'):
        cross_attention_weights(model, text, image, mask[:, :3])
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_heat_of_two_maps():
    weights = torch.tensor([0.1, 0.2, 0.0, 0.3, 0.4])  # 2 x 2 cells, then one cell
    heat = heat_over_image(weights, [(2, 2), (1, 1)], (4, 6))
    assert heat.shape == (4, 6)
    assert heat.mean().item() == pytest.approx(1.0)
    torch.testing.assert_close(heat[0], torch.tensor([0.8, 0.8, 0.8, 1.2, 1.2, 1.2]))
    torch.testing.assert_close(heat[3], torch.tensor([0.4, 0.4, 0.4, 1.6, 1.6, 1.6]))
    uniform = heat_over_image(torch.full((2, 3, 20), 1 / 20), [(4, 4), (2, 2)], (64, 64))
    torch.testing.assert_close(uniform, torch.ones(2, 3, 64, 64))


def test_cells_that_do_not_divide_the_image_keep_their_places():
    heat = heat_over_image(torch.eye(6), [(2, 3)], (5, 7))  # each cell alone
    assert (heat > 0).sum(0).eq(1).all()  # every pixel belongs to one cell
    for cell in range(6):
        rows, columns = torch.nonzero(heat[cell], as_tuple=True)
        assert abs((rows.float().mean() + 0.5) / 5 - (cell // 3 + 0.5) / 2) < 0.11
        assert abs((columns.float().mean() + 0.5) / 7 - (cell % 3 + 0.5) / 3) < 0.11


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r'feature maps of \[\(2, 2\)\] cells have 4 tokens, got weights of 5'):
        heat_over_image(torch.ones(5), [(2, 2)], (4, 4))
