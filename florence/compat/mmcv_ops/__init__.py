"""mmcv's compiled ops on torchvision's kernels and plain torch, with the signatures of `mmcv._ext`.

The compiled functions write into tensors that their callers allocate, and so do these. Half-precision and
bfloat16 inputs are computed in float32. Any other op of mmcv imports and raises when it is called.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from florence.compat.mmcv_ops.attention import ms_deform_attn_backward, ms_deform_attn_forward
from florence.compat.mmcv_ops.boxes import bbox_overlaps, nms, nms_match, softnms
from florence.compat.mmcv_ops.deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from florence.compat.mmcv_ops.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from florence.compat.mmcv_ops.masked_conv import masked_col2im_forward, masked_im2col_forward
from florence.compat.mmcv_ops.roi import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)


def get_compiler_version() -> str:
    """What `mmcv.utils.collect_env` prints as the compiler of the ops."""
    return 'none (ops served by florence.compat)'


def get_compiling_cuda_version() -> str:
    """What `mmcv.utils.collect_env` prints as the CUDA version of the ops; the words are mmcv's own."""
    return 'not available'


SERVED: dict[str, Callable] = {
    function.__name__: function
    for function in (
        bbox_overlaps,
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        get_compiler_version,
        get_compiling_cuda_version,
        masked_col2im_forward,
        masked_im2col_forward,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        ms_deform_attn_backward,
        ms_deform_attn_forward,
        nms,
        nms_match,
        roi_align_backward,
        roi_align_forward,
        roi_pool_backward,
        roi_pool_forward,
        sigmoid_focal_loss_backward,
        sigmoid_focal_loss_forward,
        softmax_focal_loss_backward,
        softmax_focal_loss_forward,
        softnms,
    )
}


def not_served(name: str) -> Callable[..., NoReturn]:
    """The `__getattr__` of the served `mmcv._ext`: a function that says that this op is missing.

    Raises:
        AttributeError: For special names, which are no ops.
    """
    if name.startswith('__'):
        raise AttributeError(name)

    def missing_op(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"mmcv's op {name!r} is not served without mmcv's compiled extension; install a compiled "
            'onedl-mmcv: `pip install --no-build-isolation onedl-mmcv` after torch, with a compiler.'
        )

    missing_op.__name__ = name
    return missing_op
