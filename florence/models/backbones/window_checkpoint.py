"""Loading checkpoints of window-attention towers into another window size.

Registered as a state-dict pre-hook: it runs for `load_state_dict` and for mmengine's checkpoint loader alike.
"""

from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from florence.layers.window_attention import resize_bias_table

TABLE = 'relative_position_bias_table'
# Computed from the sizes, not learned; old checkpoints hold them.
BUFFERS = ('.relative_position_index', '.attn_mask')


def adapt_window_checkpoint(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Resizes the relative position bias tables of `state_dict` to the window of `module`, in place, and
    leaves out the index buffers of old checkpoints.

    Args:
        module: Tower that is being loaded; has `window_size`.
        state_dict: Weights about to be loaded.
        prefix: Where the tower lies in `state_dict`.
    """
    for key in [key for key in state_dict if key.startswith(prefix) and key.endswith(BUFFERS)]:
        del state_dict[key]
    num_rows = (2 * module.window_size - 1) ** 2
    tables = [key for key in state_dict if key.startswith(prefix) and key.endswith(TABLE)]
    resized = [key for key in tables if state_dict[key].ndim == 2 and len(state_dict[key]) != num_rows]
    if not resized:
        return
    old_window = (round(len(state_dict[resized[0]]) ** 0.5) + 1) // 2
    for key in resized:
        state_dict[key] = resize_bias_table(state_dict[key], module.window_size)
    print_log(
        f'{len(resized)} relative position bias tables resized from window {old_window} to {module.window_size}',
        logger='current',
    )
