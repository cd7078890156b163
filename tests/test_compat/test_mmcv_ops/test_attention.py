"""The served multi-scale deformable attention against sums over bilinear samples."""

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

SHAPES = [(3, 4), (2, 2)]


def scan_attention(value, locations, weights):
    batch, _, heads, _ = value.shape
    queries, points = locations.size(1), locations.size(4)
    rows = []
    for b in range(batch):
        for q in range(queries):
            for head in range(heads):
                total, start = 0, 0
                for level, (height, width) in enumerate(SHAPES):
                    level_map = value[b, start : start + height * width, head].view(height, width, -1)
                    start += height * width
                    for point in range(points):
                        x = locations[b, q, head, level, point, 0] * width - 0.5
                        y = locations[b, q, head, level, point, 1] * height - 0.5
                        for i in range(height):
                            for j in range(width):
                                near = (1 - (y - i).abs()).clamp(min=0) * (1 - (x - j).abs()).clamp(min=0)
                                total = total + weights[b, q, head, level, point] * near * level_map[i, j]
                rows.append(total)
    return torch.stack(rows).view(batch, queries, -1)


def inputs():
    value = torch.randn(2, 16, 2, 3, dtype=torch.float64, requires_grad=True)
    # beyond the border, too
    locations = (torch.rand(2, 3, 2, 2, 2, 2, dtype=torch.float64) * 1.4 - 0.2).requires_grad_()
    weights = torch.rand(2, 3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    return value, locations, weights


def test_attention_equals_formula():
    value, locations, weights = inputs()
    shapes, starts = torch.tensor(SHAPES), torch.tensor([0, 12])
    actual = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)
    expected = scan_attention(value, locations, weights)
    torch.testing.assert_close(actual, expected)
    scale = torch.randn_like(actual)
    gradients = torch.autograd.grad((actual * scale).sum(), (value, locations, weights))
    expected_gradients = torch.autograd.grad((expected * scale).sum(), (value, locations, weights))
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient)


def test_levels_with_gaps_are_an_error():
    value, locations, weights = inputs()
    with pytest.raises(ValueError, match=r'starting at \[0, 12\].*is \[0, 13\]'):
        MultiScaleDeformableAttnFunction.apply(value, torch.tensor(SHAPES), torch.tensor([0, 13]), locations, weights, 64)
