"""Work on a long batch part by part, for CPUs: what lies between its steps stays in the cache, and in memory that was used before
(fresh pages from the system cost more than the arithmetic on them).
"""

from collections.abc import Callable

import torch
from torch import Tensor

# Bytes between two steps, for each thread: about its share of a processor's last cache.
PART_BYTES = 8 << 20
# Fewer parts are not worth their number; more than 32 MiB in one piece are always fresh pages.
MIN_PARTS = 4


def in_parts(function: Callable[[Tensor], Tensor], x: Tensor, width: int) -> Tensor:
    """`function(x)`, part by part on a CPU where nothing is kept for a backward pass.

    Args:
        function: Treats the rows of a batch apart: `(G, ...)` to `(G, ...)`.
        x: `(G, ...)`.
        width: Numbers that `function` holds for each row between its steps.
    """
    if x.device.type != 'cpu' or torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return function(x)
    rows = max(1, torch.get_num_threads() * PART_BYTES // (width * x.element_size()))
    return function(x) if len(x) <= MIN_PARTS * rows else torch.cat([function(part) for part in x.split(rows)])
