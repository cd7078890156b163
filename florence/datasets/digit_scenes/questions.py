"""Questions about digit scenes and their exact answers: count, colour, which, place, size, presence.

Each question names things so that exactly one answer is right. Whether a yes-or-no question is answered yes is a fair coin, so
that the question alone tells little.
"""

from collections.abc import Callable

import numpy as np

from florence.datasets.digit_scenes.captions import relation
from florence.datasets.digit_scenes.scene import COLOR_NAMES, DIGIT_NAMES, GROUND_NAMES, DigitObject, DigitScene

MAX_OBJECTS = 4
ANSWERS = ('yes', 'no', *(str(count) for count in range(1, MAX_OBJECTS + 1)), *COLOR_NAMES, *DIGIT_NAMES, *GROUND_NAMES)
RELATIONS = ('left of', 'right of', 'above', 'below')
# Sides that differ by less look equal.
LEAST_SIZE_RATIO = 1.2

QuestionAnswer = tuple[str, str]


def _unique(items: tuple[DigitObject, ...], attribute: str) -> list[DigitObject]:
    """Objects that no other one equals in an attribute."""
    values = [getattr(item, attribute) for item in items]
    return [item for item, value in zip(items, values, strict=True) if values.count(value) == 1]


def _pick(items: list, rng: np.random.Generator):
    return items[rng.integers(len(items))] if items else None


def _count(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer:
    return 'how many digits are there?', str(len(scene.objects))


def _color(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer | None:
    item = _pick(_unique(scene.objects, 'digit'), rng)
    return item and (f'what color is the {DIGIT_NAMES[item.digit]}?', item.color)


def _ground(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer:
    return 'what color is the ground?', scene.ground


def _which(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer | None:
    item = _pick(_unique(scene.objects, 'color'), rng)
    return item and (f'which digit is {item.color}?', DIGIT_NAMES[item.digit])


def _presence(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer:
    by_color = rng.random() < 0.5
    present = {item.color if by_color else DIGIT_NAMES[item.digit] for item in scene.objects}
    yes = bool(rng.random() < 0.5)
    name = _pick([name for name in (COLOR_NAMES if by_color else DIGIT_NAMES) if (name in present) == yes], rng)
    return f'is there a {name} digit?' if by_color else f'is there a {name}?', 'yes' if yes else 'no'


def _pair(scene: DigitScene, rng: np.random.Generator) -> tuple[DigitObject, DigitObject] | None:
    """Two objects that their digits tell apart, in any order."""
    items = _unique(scene.objects, 'digit')
    if len(items) < 2:
        return None
    first, second = rng.permutation(len(items))[:2]
    return items[first], items[second]


def _place(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer | None:
    pair = _pair(scene, rng)
    if pair is None:
        return None
    right = relation(*pair)
    opposite = RELATIONS[RELATIONS.index(right) ^ 1]
    yes = rng.random() < 0.5
    asked = right if yes else opposite
    first, second = (DIGIT_NAMES[item.digit] for item in pair)
    return f'is the {first} {asked} the {second}?', 'yes' if yes else 'no'


def _size(scene: DigitScene, rng: np.random.Generator) -> QuestionAnswer | None:
    pair = _pair(scene, rng)
    if pair is None or not max(pair[0].side, pair[1].side) >= LEAST_SIZE_RATIO * min(pair[0].side, pair[1].side):
        return None
    asked = 'larger' if rng.random() < 0.5 else 'smaller'
    first_larger = pair[0].side > pair[1].side
    first, second = (DIGIT_NAMES[item.digit] for item in pair)
    return f'is the {first} {asked} than the {second}?', 'yes' if first_larger == (asked == 'larger') else 'no'


_MAKERS: dict[str, Callable[[DigitScene, np.random.Generator], QuestionAnswer | None]] = {
    'count': _count, 'color': _color, 'ground': _ground, 'which': _which, 'presence': _presence, 'place': _place, 'size': _size,
}  # fmt: skip
QUESTION_TYPES = tuple(_MAKERS)


def question(scene: DigitScene, rng: np.random.Generator, question_types: tuple[str, ...]) -> tuple[str, str, str]:
    """A question of a type drawn at random among those that the scene allows.

    Args:
        scene: The scene.
        rng: Draws the type and what is asked about.
        question_types: Some of `QUESTION_TYPES`, one at least that every scene allows ('count', 'ground', 'presence').

    Returns:
        Question, answer, and question type.
    """
    for position in rng.permutation(len(question_types)):
        name = question_types[position]
        found = _MAKERS[name](scene, rng)
        if found is not None:
            return *found, name
    raise ValueError(f'the scene allows no question of the types {question_types}: add count, ground or presence.')


def answer_type(answer: str) -> str:
    """'yes/no', 'number' or 'other', as VQAv2 names them."""
    if answer in ('yes', 'no'):
        return 'yes/no'
    return 'number' if answer.isdecimal() else 'other'
