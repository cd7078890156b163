import torch
from torch import nn

from florence.layers import Mlp


def test_is_linear_gelu_linear():
    mlp, x = Mlp(8, 20), torch.randn(3, 5, 8)
    hidden = nn.functional.gelu(x @ mlp.fc1.weight.T + mlp.fc1.bias)
    torch.testing.assert_close(mlp(x), hidden @ mlp.fc2.weight.T + mlp.fc2.bias)


def test_activation_and_dropout():
    mlp, x = Mlp(8, 20, act_layer=nn.ReLU, drop_rate=0.5), torch.randn(64, 8)
    assert isinstance(mlp.act, nn.ReLU)
    assert ((mlp.train()(x) == 0).float().mean() - 0.5).abs() < 0.1
    assert (mlp.eval()(x) != 0).all()
