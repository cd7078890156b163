import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.layers import WindowAttention
from florence.layers.window_attention import biased_attention, resize_bias_table, shift_mask, window_shift


def brute_force(attention: WindowAttention, x: torch.Tensor) -> torch.Tensor:
    """One query at a time, from the definition: which tokens it meets, and at which offset."""
    _, height, width, dims = x.shape
    side, heads = attention.window_size, attention.num_heads
    window = (min(side, height), min(side, width))
    shift = [w // 2 if attention.shifted and size > w else 0 for size, w in zip((height, width), window, strict=True)]
    rows, cols = (-(-size // w) * w for size, w in zip((height, width), window, strict=True))
    padded = torch.zeros(len(x), rows, cols, dims, dtype=x.dtype)
    padded[:, :height, :width] = x
    query, key, value = attention.qkv(padded).view(len(x), rows, cols, 3, heads, -1).unbind(3)
    table = attention.relative_position_bias_table.view(2 * side - 1, 2 * side - 1, heads)

    def place(i: int, j: int) -> tuple:
        """Window, and side of the wrapped border."""
        return (
            (i - shift[0]) % rows // window[0],
            (j - shift[1]) % cols // window[1],
            i < shift[0],
            j < shift[1],
        )

    out = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            met = [(k, m) for k in range(rows) for m in range(cols) if place(k, m) == place(i, j)]
            bias = torch.stack([table[i - k + side - 1, j - m + side - 1] for k, m in met], dim=-1)  # (h, met)
            keys = torch.stack([key[:, k, m] for k, m in met], dim=2)  # (B, h, met, d)
            values = torch.stack([value[:, k, m] for k, m in met], dim=2)
            logits = (keys @ query[:, i, j, :, :, None])[..., 0] * query.shape[-1] ** -0.5 + bias
            out[:, i, j] = (logits.softmax(-1)[:, :, None] @ values).reshape(len(x), dims)
    return attention.proj(out)


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), window=st.integers(1, 5), shifted=st.booleans())
def test_equals_the_definition(height, width, window, shifted):
    attention = WindowAttention(8, 2, window, shifted=shifted).double()
    torch.nn.init.normal_(attention.relative_position_bias_table)
    torch.nn.init.normal_(attention.qkv.bias)
    x = torch.randn(2, height, width, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), brute_force(attention, x), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(('height', 'width'), [(8, 8), (5, 9), (4, 9), (3, 2)])
def test_shifted_padded_and_small_maps(height, width):
    attention = WindowAttention(8, 2, 4, shifted=True)
    torch.nn.init.normal_(attention.relative_position_bias_table)
    x = torch.randn(2, height, width, 8)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), brute_force(attention, x), atol=1e-5, rtol=1e-5)


def test_mask_against_a_loop():
    size, window, shift = (6, 8), (3, 4), (1, 2)
    mask = shift_mask(size, window, shift)
    tokens = [[(i, j) for i in range(6) for j in range(8) if (i // 3, j // 4) == at] for at in ((0, 0), (0, 1), (1, 0), (1, 1))]
    for number, members in enumerate(tokens):
        for a, (i, j) in enumerate(members):
            for b, (k, m) in enumerate(members):
                apart = (i >= 5) != (k >= 5) or (j >= 6) != (m >= 6)
                assert mask[number, a, b].item() == apart


def test_an_axis_of_one_window_is_not_shifted():
    assert window_shift((14, 7), (7, 7)) == (3, 0)
    assert window_shift((4, 4), (4, 4)) == (0, 0)


def test_fused_attention_agrees_with_the_written_one():
    query, key, value = torch.randn(3, 6, 4, 9, 8).unbind(0)
    bias = torch.randn(4, 9, 9)
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value, bias[None])
    torch.testing.assert_close(biased_attention(query, key, value, bias), fused, atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(('height', 'width'), [(14, 14), (15, 20), (5, 5)])
def test_gpu_agrees_with_cpu(height, width):
    attention = WindowAttention(64, 2, 7, shifted=True)
    x = torch.randn(2, height, width, 64)
    weights = torch.randn_like(x)
    gradients = []
    for device in ('cpu', 'cuda'):
        attention = attention.to(device)
        attention.zero_grad()
        (attention(x.to(device)) * weights.to(device)).sum().backward()
        gradients.append([parameter.grad.cpu() for parameter in attention.parameters()])
    for on_cpu, on_gpu in zip(*gradients, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, atol=1e-3, rtol=1e-3)


def test_logits_are_float32_under_half_precision():
    # One logit wins by 0.5 at a height where bf16 counts in steps of 2.
    query = torch.ones(1, 1, 2, 1, dtype=torch.bfloat16)
    key = torch.zeros(1, 1, 2, 1, dtype=torch.bfloat16)
    value = torch.tensor([0.0, 1.0], dtype=torch.bfloat16).view(1, 1, 2, 1)
    bias = torch.tensor([[300.0, 300.5]]).expand(2, 2)[None]
    output = biased_attention(query, key, value, bias)
    assert output.dtype == torch.bfloat16
    assert output[0, 0, 0, 0].item() == pytest.approx(0.6225, abs=0.004)


def test_attention_dropout_only_in_training():
    attention, x = WindowAttention(8, 2, 4, attn_drop_rate=0.5), torch.randn(1, 8, 8, 8)
    assert torch.equal(attention.eval()(x), attention(x))
    assert not torch.equal(attention.train()(x), attention(x))


def test_resized_tables_keep_constants_centre_and_order():
    ramp = torch.arange(13.0).repeat_interleave(13) - 6
    table = torch.stack([torch.full((169,), 0.7), ramp], dim=1)
    resized = resize_bias_table(table, 12)
    assert resized.shape == (529, 2)
    torch.testing.assert_close(resized[:, 0], torch.full((529,), 0.7))
    rows = resized[:, 1].view(23, 23)
    assert rows[11, 11].abs() < 1e-5
    assert (rows.diff(dim=0)[1:-1] > 0).all() and rows.diff(dim=1).abs().max() < 1e-5
    torch.testing.assert_close(resize_bias_table(table, 7), table)


def test_mistakes_get_a_sentence():
    with pytest.raises(ValueError, match='multiple of num_heads'):
        WindowAttention(10, 3, 7)
    with pytest.raises(ValueError, match='window_size must be at least 1'):
        WindowAttention(8, 2, 0)
    with pytest.raises(ValueError, match='rows, got 100'):
        resize_bias_table(torch.zeros(100, 2), 7)


def test_compiles_to_one_graph():
    attention, x = WindowAttention(8, 2, 4, shifted=True), torch.randn(1, 9, 8, 8)
    compiled = torch.compile(attention, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(x), attention(x))
