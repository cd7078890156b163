"""Attention in windows of space and time against its definition, one query at a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.layers import WindowAttention, WindowAttention3d
from florence.layers.window_attention_3d import axis_runs, relative_position_index_3d


def brute_force(attention: WindowAttention3d, x: torch.Tensor) -> torch.Tensor:
    """From the definition of shifted windows that are rolled and padded: which tokens a query meets, and at which offset."""
    _, *size, dims = x.shape
    heads, sides = attention.num_heads, attention.window_size
    window = [min(side, length) for side, length in zip(sides, size, strict=True)]
    shift = [w // 2 if attention.shifted and length > w else 0 for length, w in zip(size, window, strict=True)]
    padded_size = [-(-length // w) * w for length, w in zip(size, window, strict=True)]
    padded = torch.zeros(len(x), *padded_size, dims, dtype=x.dtype)
    padded[:, : size[0], : size[1], : size[2]] = x
    query, key, value = attention.qkv(padded).view(len(x), *padded_size, 3, heads, -1).unbind(4)
    table = attention.relative_position_bias_table.view(*(2 * side - 1 for side in sides), heads)

    def place(at: tuple[int, ...]) -> list:
        """Window, and side of the wrapped border."""
        return [((p - s) % n // w, p < s) for p, s, n, w in zip(at, shift, padded_size, window, strict=True)]

    # steps that pad the clip are met by none, rows and columns that pad it are
    keys_at = [tuple(at) for at in torch.cartesian_prod(*map(torch.arange, (size[0], *padded_size[1:]))).view(-1, 3).tolist()]
    out = torch.zeros_like(x)
    for t, i, j in torch.cartesian_prod(*map(torch.arange, size)).view(-1, 3).tolist():
        met = [at for at in keys_at if place(at) == place((t, i, j))]
        offsets = [[p - q + side - 1 for p, q, side in zip((t, i, j), at, sides, strict=True)] for at in met]
        bias = torch.stack([table[tuple(offset)] for offset in offsets], dim=-1)  # (h, met)
        keys = torch.stack([key[:, a, b, c] for a, b, c in met], dim=2)  # (B, h, met, d)
        values = torch.stack([value[:, a, b, c] for a, b, c in met], dim=2)
        logits = (keys @ query[:, t, i, j, :, :, None])[..., 0] * query.shape[-1] ** -0.5 + bias
        out[:, t, i, j] = (logits.softmax(-1)[:, :, None] @ values).reshape(len(x), dims)
    return attention.proj(out)


def random_attention(window: tuple[int, int, int], dtype=torch.float64, **kwargs) -> WindowAttention3d:
    attention = WindowAttention3d(8, 2, window, **kwargs).to(dtype)
    torch.nn.init.normal_(attention.relative_position_bias_table)
    torch.nn.init.normal_(attention.qkv.bias)
    return attention


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    shifted=st.booleans(),
)
def test_equals_the_definition(size, window, shifted):
    attention = random_attention(window, shifted=shifted)
    x = torch.randn(2, *size, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), brute_force(attention, x), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize('size', [(4, 4, 4), (5, 6, 7), (3, 9, 2)])
def test_gradients_equal_those_of_the_definition(size):
    attention = random_attention((2, 3, 3), shifted=True)
    x = torch.randn(1, *size, 8, dtype=torch.float64, requires_grad=True)
    inputs, grad = [x, *attention.parameters()], torch.randn(1, *size, 8, dtype=torch.float64)
    ours = torch.autograd.grad(attention(x), inputs, grad)
    for gradient, expected in zip(ours, torch.autograd.grad(brute_force(attention, x), inputs, grad), strict=True):
        torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize('shift_before_pad', [False, True])
@pytest.mark.parametrize('size', [(8, 9), (7, 14), (5, 16), (3, 3)])
def test_one_step_is_the_attention_of_an_image(size, shift_before_pad):
    image = WindowAttention(8, 2, 7, shifted=True, shift_before_pad=shift_before_pad).double()
    clip = random_attention((4, 7, 7), shifted=True, shift_before_pad=shift_before_pad)
    table = torch.randn(169, 2, dtype=torch.float64)
    weights = clip.state_dict() | {'relative_position_bias_table': table}
    image.load_state_dict(weights)
    clip.load_state_dict(weights | {'relative_position_bias_table': table.repeat(7, 1)})
    x = torch.randn(2, 1, *size, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(clip(x)[:, 0], image(x[:, 0]), atol=1e-12, rtol=1e-12)
        repeated = clip(x.expand(-1, 7, -1, -1, -1))
        torch.testing.assert_close(repeated, image(x[:, 0])[:, None].expand_as(repeated), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize('shifted', [False, True])
def test_steps_that_fill_no_window_are_finite(shifted):
    """Five steps in windows of four: in a padded clip, one shifted window would hold one step, and padding."""
    attention = random_attention((4, 2, 2), torch.float32, shifted=shifted)
    x = (100 * torch.randn(1, 5, 4, 4, 8)).requires_grad_()
    out = attention(x)
    out.square().sum().backward()
    assert torch.isfinite(out).all()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (x, *attention.parameters()))


def test_padding_of_time_has_no_influence():
    """The last step alone in its window sees itself alone: only its own value comes out."""
    attention = random_attention((4, 2, 2))
    x = torch.randn(1, 5, 2, 2, 8, dtype=torch.float64)
    alone = random_attention((1, 2, 2))
    middle = attention.relative_position_bias_table.view(7, 9, 2)[3]
    alone.load_state_dict(attention.state_dict() | {'relative_position_bias_table': middle})
    with torch.no_grad():
        torch.testing.assert_close(attention(x)[:, 4:], alone(x[:, 4:]), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize('way', ['autocast', 'bfloat16', 'dropout of almost zero'])
def test_other_ways_to_compute_agree(way):
    attention, x = random_attention((4, 3, 3), torch.float32, shifted=True), torch.randn(1, 6, 7, 5, 8)
    expected = attention(x)
    if way == 'autocast':
        with torch.autocast('cpu', dtype=torch.bfloat16):
            out = attention(x)
    elif way == 'bfloat16':
        out = attention.bfloat16()(x.bfloat16())
    else:
        attention.attn_drop_rate = 1e-9
        out = attention.train()(x)
    assert (out.float() - expected).norm() <= (0.03 if way in ('autocast', 'bfloat16') else 1e-6) * expected.norm()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('size', [(8, 14, 14), (5, 15, 20), (2, 5, 5)])
def test_gpu_agrees_with_cpu(size):
    attention = WindowAttention3d(64, 2, (4, 7, 7), shifted=True)
    x = torch.randn(2, *size, 64)
    weights = torch.randn_like(x)
    gradients = []
    for device in ('cpu', 'cuda'):
        attention = attention.to(device)
        attention.zero_grad()
        (attention(x.to(device)) * weights.to(device)).sum().backward()
        gradients.append([parameter.grad.cpu() for parameter in attention.parameters()])
    for on_cpu, on_gpu in zip(*gradients, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, atol=1e-3, rtol=1e-3)


def test_dropout_drops_weights_in_training_only():
    attention, x = random_attention((4, 3, 3), torch.float32, attn_drop_rate=0.5), torch.randn(1, 6, 7, 5, 8)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


@given(length=st.integers(1, 40), side=st.integers(1, 9), data=st.data(), rolled=st.booleans())
def test_runs_cover_the_axis(length, side, data, rolled):
    shift = data.draw(st.integers(0, min(side, length) - 1))
    runs = axis_runs(length, side, shift, rolled=rolled)
    assert sum(run for run, _ in runs) == length
    assert all(run % window == 0 and window <= side for run, window in runs)


def test_index_of_a_smaller_window_keeps_its_offsets():
    """Each pair has the row that it has in the whole window."""
    whole = relative_position_index_3d((4, 5, 3), (4, 5, 3)).view(4, 5, 3, 4, 5, 3)
    part = relative_position_index_3d((2, 3, 3), (4, 5, 3)).view(2, 3, 3, 2, 3, 3)
    assert torch.equal(part, whole[:2, :3, :3, :2, :3, :3])
    assert part.unique().numel() == 3 * 5 * 5
    assert whole.min() == 0 and whole.max() == 7 * 9 * 5 - 1


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ((8, 3, (2, 2, 2)), 'must be a multiple of num_heads'),
        ((8, 2, (2, 2)), 'three numbers of at least 1'),
        ((8, 2, (2, 0, 2)), 'three numbers of at least 1'),
    ],
)
def test_mistakes_get_a_sentence(args, message):
    with pytest.raises(ValueError, match=message):
        WindowAttention3d(*args)
