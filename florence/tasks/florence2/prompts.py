"""From a task's template and what it is asked about to the English prompt that Florence-2 reads.

White space around an input text does not count, as in transformers; Microsoft's code keeps it, and may then give other token ids.
"""

import re
from collections.abc import Iterable
from typing import Literal

from florence.tasks.florence2.quantizer import check_box, check_locations, location_text
from florence.tasks.florence2.tokens import AND, LOCATION

InputKind = Literal['none', 'text', 'names', 'region']
"""What a prompt is filled with: nothing, a text, one or more class names, a region of the image."""

PromptInput = str | Iterable | None

NEEDS = {
    'text': 'a text',
    'names': 'a class name, or a list of them',
    'region': 'a region: a box [x1, y1, x2, y2] in pixels, or its four location tokens',
}
"""What a task of each kind is given, in words."""


def input_text(
    tag: str,
    kind: InputKind,
    prompt_input: PromptInput,
    image_size: tuple[float, float] | None = None,
    canvas_size: tuple[float, float] | None = None,
) -> str:
    """What takes the place of `{input}` in a prompt.

    Args:
        tag: Tag of the task, for errors.
        kind: What the task is asked about, not 'none'.
        prompt_input: A text; a class name or a list of them, which are joined by `<and>`; a box `x1, y1, x2, y2` in pixels or its
            four location tokens.
        image_size: Width and height; only a box in pixels needs it.
        canvas_size: The same with padding, see `florence.tasks.florence2.canvas`; None: there is none.

    Raises:
        ValueError: If the input is of another kind or empty, holds a location token beyond `<loc_999>`, or is a box without area
            or outside the image.
    """
    parts = [prompt_input] if isinstance(prompt_input, str) else list(prompt_input) if isinstance(prompt_input, Iterable) else []
    are_texts = bool(parts) and all(isinstance(part, str) and part.strip() for part in parts)
    if are_texts and (kind == 'names' or isinstance(prompt_input, str)):
        text = AND.join(part.strip() for part in parts)
        check_locations(text, f'the input of task {tag}')
        if kind != 'region' or re.fullmatch(f'(?:{LOCATION}){{4}}', text):
            return text
    elif kind == 'region' and len(parts) == 4 and not any(isinstance(part, str) for part in parts):
        if image_size is None:
            raise ValueError(f'task {tag} got a box in pixels: pass image_size=(width, height), too')
        box = [float(value) for value in parts]
        check_box(box, image_size, f'task {tag}')
        return location_text(box, canvas_size or image_size)
    raise ValueError(f'task {tag} needs {NEEDS[kind]}, got {prompt_input!r:.80}')
