"""An image in overlapping windows of the size that a model was trained at; where they overlap, logits are averaged."""

from collections.abc import Callable

from torch import Tensor


def slide(inputs: Tensor, predict: Callable[[Tensor], Tensor], window: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Logits of whole images, `(B, K, H, W)`.

    Args:
        inputs: Images, `(B, 3, H, W)`; one that is smaller than a window is one window.
        predict: Gives the logits `(B, K, h, w)` of windows `(B, 3, h, w)`.
        window: Height and width.
        stride: Distance of neighbours downwards and to the right.
    """
    rows, columns = (_starts(*sides) for sides in zip(inputs.shape[2:], window, stride, strict=True))
    total, counts = None, inputs.new_zeros(1, 1, *inputs.shape[2:])
    for top in rows:
        for left in columns:
            place = (..., slice(top, top + window[0]), slice(left, left + window[1]))
            logits = predict(inputs[place])
            if total is None:
                total = logits.new_zeros(len(inputs), logits.shape[1], *inputs.shape[2:])
            total[place] += logits
            counts[place] += 1
    return total / counts


def _starts(size: int, window: int, stride: int) -> list[int]:
    """Where windows begin, the last one at the border."""
    last = max(size - window, 0)
    return [*range(0, last, stride), last]
