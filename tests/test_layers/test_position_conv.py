import torch

from florence.layers import PositionConv


def test_adds_what_the_eight_neighbours_and_the_pixel_itself_weigh():
    conv, x = PositionConv(4), torch.randn(2, 3, 5, 4)
    padded = torch.nn.functional.pad(x, (0, 0, 1, 1, 1, 1))
    expected = x + conv.bias
    for row in range(3):
        for col in range(3):
            expected = expected + padded[:, row : row + 3, col : col + 5] * conv.weight[:, 0, row, col]
    torch.testing.assert_close(conv(x), expected)
    assert conv(x).is_contiguous(), 'a transposed map would be copied by the next layer'
