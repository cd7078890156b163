import copy

import pytest
import torch
from torch import nn

from florence.layers import Linear
from florence.layers.linear import MIN_ROWS

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='this PyTorch has no oneDNN')


def run(layer: nn.Module, x: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
    layer.zero_grad()
    x = x.detach().requires_grad_()
    output = layer(x)
    (output * weights).sum().backward()
    return [output.detach(), x.grad, *(parameter.grad.clone() for parameter in layer.parameters())]


@needs_onednn
@pytest.mark.parametrize('bias', [True, False])
# The rows decide in which order the gradient of the weights is multiplied.
@pytest.mark.parametrize(('rows', 'num_in', 'num_out'), [(40, 24, 96), (16, 96, 24), (2000, 24, 96), (64, 32, 32)])
def test_outputs_and_gradients_are_those_of_float64(rows, num_in, num_out, bias):
    layer = Linear(num_in, num_out, bias=bias)
    x, weights = torch.randn(2, rows // 2, num_in), torch.randn(2, rows // 2, num_out)
    assert 'OneDNN' in type(layer(x).grad_fn).__name__
    exact = run(copy.deepcopy(layer).double(), x.double(), weights.double())
    for ours, expected in zip(run(layer, x, weights), exact, strict=True):
        assert ours.shape == expected.shape
        assert (ours - expected).abs().max() < 1e-5 * expected.abs().max()


@needs_onednn
def test_frozen_weights_and_inputs_get_no_gradient():
    x = torch.randn(32, 8)
    frozen = Linear(8, 4).requires_grad_(False)
    inputs = x.clone().requires_grad_()
    frozen(inputs).sum().backward()
    torch.testing.assert_close(inputs.grad, frozen.weight.sum(0).expand(32, 8))
    assert frozen.weight.grad is None
    layer = Linear(8, 4)
    layer(x).sum().backward()
    torch.testing.assert_close(layer.weight.grad, x.sum(0).expand(4, 8))


@pytest.mark.parametrize('shape', [(3, 8), (8,), (0, 8), (40, 8), (4, 5, 2, 8)])
def test_any_number_of_rows_gives_what_torch_gives(shape):
    layer, x = Linear(8, 4), torch.randn(shape)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


@needs_onednn
@pytest.mark.parametrize(('shape', 'num_in', 'num_out', 'takes_onednn'), [
    ((1, 512), 512, 256, True), ((1, 256), 256, 256, False), ((40, 256), 256, 256, True),
])  # fmt: skip
def test_one_row_takes_onednn_where_the_matrix_is_large(shape, num_in, num_out, takes_onednn):
    layer, x = Linear(num_in, num_out), torch.randn(shape)
    with torch.no_grad(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        found = layer(x)
    assert any('mkldnn' in event.key for event in profile.key_averages()) == takes_onednn
    torch.testing.assert_close(found, nn.functional.linear(x, layer.weight, layer.bias), atol=1e-5, rtol=1e-5)


def test_strided_inputs():
    layer, x = Linear(8, 4), torch.randn(8, 40, 6).permute(2, 1, 0)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


def test_autocast_and_compilation_take_the_layer_of_torch():
    layer, x = Linear(8, 4), torch.randn(40, 8)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    compiled = torch.compile(layer, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.filterwarnings('ignore:TF32 acceleration')
def test_the_user_can_switch_onednn_off():
    layer, x = Linear(8, 4), torch.randn(40, 8)
    with torch.backends.mkldnn.flags(enabled=False):
        assert 'OneDNN' not in type(layer(x).grad_fn).__name__


@pytest.mark.parametrize('rows', [1, MIN_ROWS - 1, MIN_ROWS, 5 * MIN_ROWS])
def test_gradients_get_ready_in_one_order_for_every_number_of_rows(rows):
    # Ranks with different numbers of rows reduce their gradients in the order in which these get ready.
    layer, ready = Linear(6, 4), []
    for name, parameter in layer.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: ready.append(name))
    layer(torch.randn(rows, 6)).sum().backward()
    assert ready == ['weight', 'bias']
