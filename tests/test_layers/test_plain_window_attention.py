import pytest
import torch
import torch.nn.functional as F

from florence.layers import PlainWindowAttention, WindowAttention, in_parts


def test_equals_the_biased_attention_without_bias():
    """On a map that the windows divide; `test_window_attention` has that one's definition."""
    plain, biased = PlainWindowAttention(8, 2, 3), WindowAttention(8, 2, 3)
    biased.load_state_dict(plain.state_dict(), strict=False)
    torch.nn.init.zeros_(biased.relative_position_bias_table)
    x = torch.randn(2, 6, 9, 8)
    torch.testing.assert_close(plain(x), biased(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(('height', 'width'), [(7, 9), (2, 2), (6, 8)])
def test_padded_tokens_take_part(height, width):
    attention = PlainWindowAttention(8, 2, 3)
    x = torch.randn(2, height, width, 8)
    padded = F.pad(x, (0, 0, 0, -width % 3, 0, -height % 3))
    torch.testing.assert_close(attention(x), attention(padded)[:, :height, :width])


def test_parts_change_nothing(monkeypatch):
    attention, x = PlainWindowAttention(8, 2, 3), torch.randn(2, 7, 9, 8)
    expected = attention(x)
    monkeypatch.setattr(in_parts, 'PART_BYTES', 1)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), expected)


def test_mistakes_get_a_sentence():
    with pytest.raises(ValueError, match='must be a multiple of num_heads'):
        PlainWindowAttention(10, 3, 4)
    with pytest.raises(ValueError, match='window_size must be at least 1'):
        PlainWindowAttention(8, 2, 0)
