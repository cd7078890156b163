import pytest
import torch
from torch import nn

from florence.layers import ConvEmbed, PatchMerging


@pytest.mark.parametrize(('kernel', 'stride', 'padding'), [(7, 4, 2), (3, 2, 1), (4, 4, 0), (7, 2, 3)])
def test_padding_centres_the_kernel_and_no_pixel_is_dropped(kernel, stride, padding):
    embed = ConvEmbed(3, 8, kernel, stride)
    assert embed.proj.padding == (padding, padding)
    for size in range(8, 18):
        x = torch.randn(1, size, size, 3, requires_grad=True)
        y = embed(x)
        assert y.shape == (1, -(-size // stride), -(-size // stride), 8)
        (y * torch.randn_like(y)).sum().backward()
        assert (x.grad.abs().sum(-1) > 0).all()


def test_divisible_sizes_are_a_plain_convolution_and_layer_norm():
    embed, x = ConvEmbed(3, 8, 7, 4), torch.randn(2, 16, 24, 3)
    y = nn.functional.conv2d(x.permute(0, 3, 1, 2), embed.proj.weight, embed.proj.bias, stride=4, padding=2)
    torch.testing.assert_close(embed(x), nn.functional.layer_norm(y.permute(0, 2, 3, 1), (8,)))


def test_a_kernel_below_the_stride_is_refused():
    with pytest.raises(ValueError, match='must cover the stride'):
        ConvEmbed(3, 8, 2, 4)


def test_merging_takes_columns_before_rows():
    merge = PatchMerging(1, 4)
    merge.norm = nn.Identity()
    merge.reduction.weight.data = torch.eye(4)
    x = torch.arange(6.0).view(1, 2, 3, 1)  # rows 0 1 2 / 3 4 5
    assert merge(x).tolist() == [[[[0.0, 3.0, 1.0, 4.0], [2.0, 5.0, 0.0, 0.0]]]]
