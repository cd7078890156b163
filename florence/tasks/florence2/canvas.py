"""Images that keep their proportions: they fill a corner of the network input, the rest, on the right and below, is padding.

Florence-2 (arXiv 2311.06242) stretches every image to a square instead. Location tokens count along the whole input, its canvas;
so coordinates are divided by the size that the canvas has in pixels of the file.
"""

from collections.abc import Sequence

from florence.tasks.florence2.parsers import ParserOptions
from florence.tasks.florence2.task import Florence2Task

REGIONS = ('boxes', 'quads', 'polygons')


def parse_on_canvas(
    task: Florence2Task, text: str, image_size: tuple[float, float], canvas_size: tuple[float, float], options: ParserOptions
) -> dict:
    """What a task's parser reads, in pixels of the file, no region of it in the padding.

    Args:
        task: Its parser is used.
        text: Answer of the model.
        image_size: Width and height of the file.
        canvas_size: The same with padding.
        options: How to read the answer.
    """
    parsed = task.parser(text, canvas_size, options)
    if canvas_size == image_size:
        return parsed
    return parsed | {kind: _clipped(parsed[kind], image_size) for kind in REGIONS if kind in parsed}


def _clipped(values: Sequence, limits: tuple[float, float]) -> list:
    """Coordinates `x, y, ...`, or lists of them, within the limits."""
    if values and not isinstance(values[0], int | float):
        return [_clipped(entry, limits) for entry in values]
    return [min(value, limits[number % 2]) for number, value in enumerate(values)]
