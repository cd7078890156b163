"""The display matrix of a video: how a player turns and mirrors the stored frames (a telephone films lying on its side)."""

from collections.abc import Callable

import numpy as np

UNIT = 1 << 16


def upright(matrix: bytes | None) -> Callable[[np.ndarray], np.ndarray] | None:
    """The change that the display matrix asks for; None where frames are shown as they are stored.

    Args:
        matrix: Nine native 32-bit integers, row by row, 16.16 fixed point: a stored pixel (x, y) is shown at
            (a x + c y, b x + d y) with the rows (a, b, .) and (c, d, .). Turns other than by 90, 180 and 270 degrees, which
            cameras do not write, become the nearest of these.

    Returns:
        A function from `(H, W, 3)` to `(H, W, 3)` or `(W, H, 3)`, C-contiguous.
    """
    if matrix is None:
        return None
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5] / UNIT
    is_turned = abs(a) + abs(d) < abs(b) + abs(c)
    flip_x, flip_y = (c < 0, b < 0) if is_turned else (a < 0, d < 0)
    if not (is_turned or flip_x or flip_y):
        return None

    def change(frame: np.ndarray) -> np.ndarray:
        frame = frame.transpose(1, 0, 2) if is_turned else frame  # (H, W, 3) -> (W, H, 3)
        return np.ascontiguousarray(frame[:: -1 if flip_y else 1, :: -1 if flip_x else 1])

    return change
