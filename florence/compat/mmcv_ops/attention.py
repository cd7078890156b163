"""Multi-scale deformable attention (arXiv 2010.04159, Eq. 3) in mmcv's own grid-sample form.

mmcv uses that form by itself on CPU and calls the compiled op on CUDA; these functions stand in for the
latter. `im2col_step` only bounds the compiled op's workspace and has no effect on the result.
"""

import torch
from torch import Tensor

from florence.compat.mmcv_ops.precision import widen


def _attend(value: Tensor, spatial_shapes: Tensor, level_start_index: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    shapes = spatial_shapes.tolist()
    starts = [sum(h * w for h, w in shapes[:level]) for level in range(len(shapes))]
    if level_start_index.tolist() != starts:
        raise ValueError(
            f'Levels of shapes {shapes} must follow each other without gaps, starting at {starts}, but '
            f'value_level_start_index is {level_start_index.tolist()}.'
        )
    return multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Attended values `(B, Q, H * D)` of B samples, Q queries, H heads, D channels per head.

    Args:
        value: `(B, K, H, D)`, K the positions of all levels.
        value_spatial_shapes: Height and width of each of L levels, `(L, 2)`.
        value_level_start_index: First position of each level, `(L,)`.
        sampling_locations: x, y in [0, 1] of P points per level, `(B, Q, H, L, P, 2)`.
        attention_weights: `(B, Q, H, L, P)`.
        im2col_step: Unused.

    Raises:
        ValueError: If the levels do not follow each other in `value`.
    """
    output = _attend(
        widen(value),
        value_spatial_shapes,
        value_level_start_index,
        widen(sampling_locations),
        widen(attention_weights),
    )
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Write the gradients of `ms_deform_attn_forward` into the `grad_` tensors of the inputs' shapes."""
    with torch.enable_grad():
        inputs = [widen(tensor.detach()).requires_grad_() for tensor in (value, sampling_locations, attention_weights)]
        output = _attend(inputs[0], value_spatial_shapes, value_level_start_index, *inputs[1:])
        gradients = torch.autograd.grad(output, inputs, grad_output.to(output.dtype))
    for into, gradient in zip((grad_value, grad_sampling_loc, grad_attn_weight), gradients, strict=True):
        into.copy_(gradient)
