"""The fusion layer equals PyTorch's post-norm decoder layer and BridgeTower's cross layer, with their weights."""

import pytest
import torch
from torch import nn

from florence.models.fusion import FusionLayer

D, HEADS, HIDDEN = 48, 4, 96


def layer_pair(cross: bool = True):
    """Our layer and PyTorch's with the same random weights."""
    ours = FusionLayer(D, HEADS, HIDDEN, cross_attention=cross).eval()
    kind = nn.TransformerDecoderLayer if cross else nn.TransformerEncoderLayer
    theirs = kind(D, HEADS, HIDDEN, activation='gelu', layer_norm_eps=1e-12, batch_first=True, norm_first=False).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.2)
    copy_layer(ours, theirs)
    return ours, theirs


def copy_layer(ours: FusionLayer, theirs: nn.Module) -> None:
    attentions = [(ours.self_attn, theirs.self_attn)]
    norms = [ours.self_norm, ours.mlp_norm]
    if ours.cross_attn is not None:
        attentions.append((ours.cross_attn, theirs.multihead_attn))
        norms.insert(1, ours.cross_norm)
    with torch.no_grad():
        for mine, other in attentions:
            other.in_proj_weight.copy_(torch.cat([mine.query.weight, mine.key_value.weight]))
            other.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key_value.bias]))
            other.out_proj.load_state_dict(mine.proj.state_dict())
    for index, norm in enumerate(norms, start=1):
        getattr(theirs, f'norm{index}').load_state_dict(norm.state_dict())
    theirs.linear1.load_state_dict(ours.mlp.fc1.state_dict())
    theirs.linear2.load_state_dict(ours.mlp.fc2.state_dict())


def padded(lengths, longest):
    return torch.arange(longest) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize('cross', [True, False])
def test_equals_pytorch(cross):
    ours, theirs = layer_pair(cross)
    x, memory = torch.randn(3, 7, D), torch.randn(3, 5, D)
    keep, memory_keep = padded([7, 4, 1], 7), padded([2, 5, 3], 5)
    if cross:
        found = ours(x, memory, keep[:, None, None], memory_keep[:, None, None])
        expected = theirs(x, memory, tgt_key_padding_mask=~keep, memory_key_padding_mask=~memory_keep)
    else:
        found, expected = ours(x, None, keep[:, None, None]), theirs(x, src_key_padding_mask=~keep)
    assert (found - expected)[keep].abs().max() < 1e-5


def test_the_epsilon_of_the_norms_is_meters():
    """With RoBERTa's 1e-5 the norm of small features would have a deviation of 0.3."""
    layer = FusionLayer(D, HEADS, HIDDEN)
    for norm in (layer.self_norm, layer.cross_norm, layer.mlp_norm):
        assert abs(norm(1e-3 * torch.randn(100, D)).std() - 1) < 0.01


def test_equals_bridgetower():
    from transformers import BridgeTowerTextConfig
    from transformers.models.bridgetower.modeling_bridgetower import BridgeTowerBertCrossLayer

    config = BridgeTowerTextConfig(
        hidden_size=D, num_attention_heads=HEADS, intermediate_size=HIDDEN, layer_norm_eps=1e-12, vocab_size=100
    )
    # Under 'sdpa' a mask of None makes its self-attention causal; 'eager' and a mask of zeros leave no doubt.
    config._attn_implementation = 'eager'
    theirs = BridgeTowerBertCrossLayer(config).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.2)
    ours = FusionLayer(D, HEADS, HIDDEN).eval()
    ours.load_state_dict(from_bridgetower(theirs))
    x, memory, keep, memory_keep = torch.randn(3, 7, D), torch.randn(3, 5, D), padded([7, 4, 1], 7), padded([2, 5, 3], 5)
    expected = theirs(
        x, memory, attention_mask=additive(keep), encoder_attention_mask=additive(memory_keep)
    )[0]  # fmt: skip
    found = ours(x, memory, keep[:, None, None], memory_keep[:, None, None])
    assert (found - expected)[keep].abs().max() < 1e-5
    free = theirs(x, memory, attention_mask=torch.zeros(3, 1, 1, 7), encoder_attention_mask=torch.zeros(3, 1, 1, 5))[0]
    assert (ours(x, memory) - free).abs().max() < 1e-5


def additive(keep: torch.Tensor) -> torch.Tensor:
    return torch.zeros(keep.shape).masked_fill(~keep, torch.finfo(torch.float32).min)[:, None, None]


def from_bridgetower(layer: nn.Module) -> dict[str, torch.Tensor]:
    """Its state dict under our names, written out by hand: the converter is tested against this."""
    state, result = layer.state_dict(), {}
    for kind in ('weight', 'bias'):
        for ours, theirs in (('self', 'attention'), ('cross', 'crossattention')):
            result[f'{ours}_attn.query.{kind}'] = state[f'{theirs}.self.query.{kind}']
            result[f'{ours}_attn.key_value.{kind}'] = torch.cat(
                [state[f'{theirs}.self.{part}.{kind}'] for part in ('key', 'value')]
            )
            result[f'{ours}_attn.proj.{kind}'] = state[f'{theirs}.output.dense.{kind}']
            result[f'{ours}_norm.{kind}'] = state[f'{theirs}.output.LayerNorm.{kind}']
        result[f'mlp.fc1.{kind}'] = state[f'intermediate.dense.{kind}']
        result[f'mlp.fc2.{kind}'] = state[f'output.dense.{kind}']
        result[f'mlp_norm.{kind}'] = state[f'output.LayerNorm.{kind}']
    return result


def test_gradients_in_double_precision():
    layer = FusionLayer(8, 2, 12).double().eval()
    x, memory = torch.randn(2, 3, 8, dtype=torch.float64), torch.randn(2, 4, 8, dtype=torch.float64)
    keep = padded([3, 2], 3)[:, None, None]
    assert torch.autograd.gradcheck(lambda x, memory: layer(x, memory, keep), (x.requires_grad_(), memory.requires_grad_()))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match='num_heads=5 must divide embed_dims=48'):
        FusionLayer(48, 5, 96)
