import pytest
import torch
from torch import nn

from florence.layers import Fp32LayerNorm


def layer(dims: int) -> Fp32LayerNorm:
    norm = Fp32LayerNorm(dims)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def test_float32_equals_the_layer_of_torch():
    norm, x = layer(32), torch.randn(4, 5, 32)
    assert torch.equal(norm(x), nn.functional.layer_norm(x, (32,), norm.weight, norm.bias))


@pytest.mark.parametrize('weights', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('inputs', [torch.float32, torch.bfloat16, torch.float16])
def test_arithmetic_is_float32_and_the_output_keeps_the_input_type(weights, inputs):
    norm = layer(256).to(weights)
    x = (torch.randn(8, 256) + 30).to(inputs)
    expected = nn.functional.layer_norm(x.float(), (256,), norm.weight.float(), norm.bias.float())
    output = norm(x)
    assert output.dtype == inputs
    assert torch.equal(output, expected.to(inputs))


def test_autocast_does_not_lower_the_arithmetic():
    norm, x = layer(256), (torch.randn(8, 256) + 30).bfloat16()
    expected = norm(x.float()).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(norm(x), expected)


def test_gradients_reach_half_weights():
    norm = layer(16).bfloat16()
    norm(torch.randn(4, 16).bfloat16()).square().sum().backward()
    assert norm.weight.grad.dtype == torch.bfloat16
    assert norm.weight.grad.abs().max() > 0 and norm.bias.grad.abs().max() > 0


def test_compiles_to_one_graph():
    norm, x = layer(16).bfloat16(), torch.randn(4, 16).bfloat16()
    compiled = torch.compile(norm, fullgraph=True, backend='eager')
    assert torch.equal(compiled(x), norm(x))
