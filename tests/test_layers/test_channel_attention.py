import pytest
import torch

from florence.layers import ChannelAttention


def by_definition(attention: ChannelAttention, x: torch.Tensor) -> torch.Tensor:
    """One pair of channels at a time."""
    batch, height, width, dims = x.shape
    query, key, value = attention.qkv(x).view(batch, height * width, 3, dims).unbind(2)
    if attention.form == 'heads':
        query, key, value, scale = key, value, query, (dims // attention.num_groups) ** -0.5
    else:
        scale = (height * width) ** -0.5
    out = torch.zeros_like(value)
    for start in range(0, dims, dims // attention.num_groups):
        group = range(start, start + dims // attention.num_groups)
        for channel in group:
            logits = torch.stack([(query[..., channel] * key[..., other]).sum(-1) * scale for other in group], -1)  # (B, d)
            weights = logits.softmax(-1)
            out[..., channel] = sum(weights[:, at, None] * value[..., other] for at, other in enumerate(group))
    return attention.proj(out.view(x.shape))


@pytest.mark.parametrize('form', ['tokens', 'heads'])
def test_equals_the_definition(form):
    attention = ChannelAttention(12, 3, form).double()
    x = torch.randn(2, 3, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(attention(x), by_definition(attention, x), atol=1e-10, rtol=1e-10)


def test_the_scale_of_tokens_keeps_the_logits_of_a_larger_map():
    """The same pixels twice: twice the sum, so larger logits by `2 / sqrt(2)`, where the scale of heads doubles them."""
    x = torch.randn(1, 4, 4, 8)
    doubled = torch.cat([x, x], dim=2)
    for form, factor in (('tokens', 2**0.5), ('heads', 2.0)):
        attention = ChannelAttention(8, 1, form)
        sharper = ChannelAttention(8, 1, form)
        sharper.load_state_dict(attention.state_dict())
        with torch.no_grad():
            # A factor on one operand of the logits alone.
            part = slice(0, 8) if form == 'tokens' else slice(8, 16)
            sharper.qkv.weight[part] *= factor
            sharper.qkv.bias[part] *= factor
            torch.testing.assert_close(attention(doubled)[:, :, :4], sharper(x))


def test_mistakes_get_a_sentence():
    with pytest.raises(ValueError, match='must be a multiple of num_groups'):
        ChannelAttention(10, 3)
    with pytest.raises(ValueError, match="has the forms .*, got 'groups'"):
        ChannelAttention(8, 2, 'groups')
