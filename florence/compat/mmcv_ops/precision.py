"""The floating-point type in which the served ops compute."""

import torch
from torch import Tensor


def widen(tensor: Tensor) -> Tensor:
    """`tensor` in float32 where its type is narrower, as not every kernel takes float16 and bfloat16."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
