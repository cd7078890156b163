"""Co-attention equals a hand-written loop of PyTorch's layers; merged attention equals PyTorch's encoder."""

import copy

import pytest
import torch
from torch import nn

from florence.models.fusion import METERFusion

D, HEADS, HIDDEN, LAYERS = 48, 4, 96, 3


def make(mode: str = 'co_attention', **options) -> METERFusion:
    fusion = METERFusion(D, LAYERS, HEADS, HIDDEN, mode=mode, **options).eval()
    for parameter in fusion.parameters():
        nn.init.normal_(parameter, std=0.2)
    return fusion


def peer(layer: nn.Module) -> nn.Module:
    """PyTorch's layer with the weights of ours."""
    has_cross = layer.cross_attn is not None
    kind = nn.TransformerDecoderLayer if has_cross else nn.TransformerEncoderLayer
    other = kind(D, HEADS, HIDDEN, activation='gelu', layer_norm_eps=1e-12, batch_first=True, norm_first=False).eval()
    state = {}
    attentions = [('self_attn', layer.self_attn)] + [('multihead_attn', layer.cross_attn)] * has_cross
    for name, attention in attentions:
        for part in ('weight', 'bias'):
            query, keys_values = getattr(attention.query, part), getattr(attention.key_value, part)
            state[f'{name}.in_proj_{part}'] = torch.cat([query, keys_values])
            state[f'{name}.out_proj.{part}'] = getattr(attention.proj, part)
    norms = [layer.self_norm, *[layer.cross_norm] * has_cross, layer.mlp_norm]
    for name, module in [('linear1', layer.mlp.fc1), ('linear2', layer.mlp.fc2)] + [
        (f'norm{i}', norm) for i, norm in enumerate(norms, start=1)
    ]:
        state |= {f'{name}.{part}': value for part, value in module.state_dict().items()}
    other.load_state_dict(state)
    return other


@pytest.fixture
def batch():
    text_mask = (torch.arange(7) < torch.tensor([7, 4, 2])[:, None]).long()
    return torch.randn(3, 7, D), torch.randn(3, 5, D), text_mask


def test_co_attention_equals_a_loop_of_pytorch_layers(batch):
    fusion, (text, image, text_mask) = make(), batch
    found_text, found_image = fusion(text, image, text_mask)
    hidden = ~text_mask.bool()
    for text_layer, image_layer in zip(fusion.text_layers, fusion.image_layers, strict=True):
        # Both read the other stream as it was before this layer.
        text, image = (
            peer(text_layer)(text, image, tgt_key_padding_mask=hidden),
            peer(image_layer)(image, text, memory_key_padding_mask=hidden),
        )
    assert (found_text - text)[~hidden].abs().max() < 1e-5
    assert (found_image - image).abs().max() < 1e-5


def test_merged_attention_equals_pytorchs_encoder(batch):
    fusion, (text, image, text_mask) = make('merged_attention'), batch
    found = torch.cat(fusion(text, image, text_mask), 1)
    hidden = torch.cat([~text_mask.bool(), torch.zeros(3, 5, dtype=torch.bool)], 1)
    x = torch.cat([text, image], 1)
    for layer in fusion.merged_layers:
        x = peer(layer)(x, src_key_padding_mask=hidden)
    assert (found - x)[~hidden].abs().max() < 1e-5


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_padded_positions_have_no_influence(batch, mode):
    fusion, (text, image, text_mask) = make(mode), batch
    expected_text, expected_image = fusion(text, image, text_mask)
    keep = text_mask.bool()
    changed = torch.where(keep[..., None], text, 100 * torch.randn_like(text))
    found_text, found_image = fusion(changed, image, text_mask)
    assert torch.equal(found_text[keep], expected_text[keep]) and torch.equal(found_image, expected_image)
    short_text, short_image = fusion(text[2:, :2], image[2:], None)
    assert (short_text - expected_text[2:, :2]).abs().max() < 1e-5 and (short_image - expected_image[2:]).abs().max() < 1e-5


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_image_mask_hides_image_tokens(batch, mode):
    fusion, (text, image, text_mask) = make(mode), batch
    image_mask = (torch.arange(5) < torch.tensor([5, 3, 1])[:, None]).long()
    expected = fusion(text, image, text_mask, image_mask)[0][text_mask.bool()]
    changed = torch.where(image_mask.bool()[..., None], image, 100 * torch.randn_like(image))
    assert torch.equal(fusion(text, changed, text_mask, image_mask)[0][text_mask.bool()], expected)
    assert not torch.equal(fusion(text, changed, text_mask)[0][text_mask.bool()], expected)


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_checkpointing_changes_nothing(batch, mode):
    plain, (text, image, text_mask) = make(mode), batch
    saving = copy.deepcopy(plain)
    saving.with_cp = True
    gradients = []
    for fusion in (plain, saving):
        outputs = torch.cat(fusion(text, image, text_mask), 1)[:, :2]
        outputs.square().sum().backward()
        gradients.append([parameter.grad for parameter in fusion.parameters()])
    assert all(torch.equal(left, right) for left, right in zip(*gradients, strict=True))
    assert len(gradients[0]) == len(list(plain.parameters()))


def test_gradients_in_double_precision(batch):
    fusion = METERFusion(8, 2, 2, 12).double().eval()
    text, image = torch.randn(2, 3, 8, dtype=torch.float64), torch.randn(2, 4, 8, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    inputs = (text.requires_grad_(), image.requires_grad_())
    assert torch.autograd.gradcheck(lambda text, image: fusion(text, image, mask), inputs)


def test_size_of_a_layer_is_meters():
    with torch.device('meta'):
        fusion = METERFusion()
    assert sum(p.numel() for p in fusion.text_layers[0].parameters()) == 9_451_776
    assert sum(p.numel() for p in fusion.parameters()) == 12 * 9_451_776


def test_bad_input_is_named(batch):
    fusion, (text, image, text_mask) = make(), batch
    with pytest.raises(ValueError, match=r'shape \(B, L, 48\), got image of shape \(2, 5, 48\)'):
        fusion(text, image[:2])
    with pytest.raises(ValueError, match=r'text_mask must have shape \(3, 7\), got \(3, 6\)'):
        fusion(text, image, text_mask[:, :6])
    with pytest.raises(ValueError, match="mode must be one of .* got 'concat'"):
        METERFusion(mode='concat')
