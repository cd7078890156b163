"""The dynamic ReLU: where it starts, and the ranges of its lines."""

import torch
from mmdet.models.layers import DyReLU as Peer
from torch import nn

from florence.models.heads import DyReLU


def test_it_starts_close_to_a_relu():
    x = torch.randn(2, 16, 5, 6)
    assert (DyReLU(16)(x) - x.relu()).abs().max() < 0.01


def test_ranges_of_the_lines():
    layer = DyReLU(8)
    nn.init.normal_(layer.excite.weight, std=100)
    nn.init.normal_(layer.squeeze.weight, std=1)
    lines = layer.lines(torch.randn(500, 8))
    assert lines.shape == (4, 500, 8)
    assert [(float(line.min()), float(line.max())) for line in lines] == [(0, 2), (-0.5, 0.5), (-1, 1), (-0.5, 0.5)]


def test_as_mmdet():
    ours, peer = DyReLU(16), Peer(16)
    for layer, convolution in ((ours.squeeze, peer.conv1.conv), (ours.excite, peer.conv2.conv)):
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
        convolution.load_state_dict({'weight': layer.weight[:, :, None, None], 'bias': layer.bias})
    x = torch.randn(3, 16, 4, 5)
    torch.testing.assert_close(ours(x), peer(x))
    pooled = torch.randn(7, 16)  # after RoI pooling
    torch.testing.assert_close(ours(pooled), peer(pooled[:, :, None, None])[:, :, 0, 0])
