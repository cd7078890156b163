"""The served masked convolution against the convolution of the whole map."""

import mmcv.ops
import pytest
import torch


@pytest.mark.parametrize(('kernel', 'padding'), [((3, 3), (1, 1)), ((3, 5), (1, 2)), ((1, 1), (0, 0))])
def test_masked_conv_is_the_convolution_at_the_masked_positions(kernel, padding):
    x, weight, bias = torch.randn(1, 3, 5, 6), torch.randn(4, 3, *kernel), torch.randn(4)
    mask = torch.rand(1, 5, 6) > 0.5
    actual = mmcv.ops.masked_conv2d(x, mask, weight, bias, padding)
    expected = torch.nn.functional.conv2d(x, weight, bias, padding=padding) * mask
    torch.testing.assert_close(actual, expected)


def test_windows_past_the_padding_read_zeros():
    from mmcv._ext import masked_im2col_forward

    x, col = torch.randn(1, 2, 4, 4), torch.empty(2 * 9, 1)
    corner = torch.tensor([3])
    masked_im2col_forward(x, corner, corner, col, kernel_h=3, kernel_w=3, pad_h=0, pad_w=0)
    expected = torch.zeros(2, 3, 3)
    expected[:, 0, 0] = x[0, :, 3, 3]
    assert torch.equal(col.view(2, 3, 3), expected)
