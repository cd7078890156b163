"""Captions of digit scenes in three granularities, from exact knowledge of the scene.

'short': one or two words ("seven", "red seven"), as alt texts on the web are, which is what prompt templates expand;
'medium': "a red seven above a blue two"; 'detailed': "a large red seven above a small blue two on a grey ground".
"""

from collections.abc import Sequence

import numpy as np

from florence.datasets.digit_scenes.scene import DIGIT_NAMES, DigitObject, DigitScene

GRANULARITIES = ('short', 'medium', 'detailed')


def with_article(noun_phrase: str) -> str:
    """The noun phrase after the indefinite article that its first letter asks for."""
    return ('an ' if noun_phrase[0] in 'aeiou' else 'a ') + noun_phrase


def relation(first: DigitObject, second: DigitObject) -> str:
    """Where the first object lies seen from the second, by the axis on which they are farther apart."""
    dx, dy = first.center[0] - second.center[0], first.center[1] - second.center[1]
    if abs(dx) >= abs(dy):
        return 'left of' if dx < 0 else 'right of'
    return 'above' if dy < 0 else 'below'


def noun_phrase(item: DigitObject, detailed: bool) -> str:
    """ "a red seven", with its size if `detailed`."""
    words = ([item.size] if detailed else []) + [item.color, DIGIT_NAMES[item.digit]]
    return with_article(' '.join(words))


def caption(scene: DigitScene, granularity: str, rng: np.random.Generator) -> str:
    """One caption of a scene; `rng` chooses where several are right (which object is named first, digit with or without colour).

    Raises:
        ValueError: If the granularity is unknown.
    """
    if granularity not in GRANULARITIES:
        raise ValueError(f'caption: granularity must be one of {GRANULARITIES}, got {granularity!r}.')
    if granularity == 'short':
        item = scene.objects[rng.integers(len(scene.objects))]
        name = DIGIT_NAMES[item.digit]
        return name if rng.random() < 0.5 else f'{item.color} {name}'
    order = rng.permutation(len(scene.objects))
    return caption_of([scene.objects[position] for position in order], scene.ground if granularity == 'detailed' else None)


def caption_of(items: Sequence[DigitObject], ground: str | None) -> str:
    """The caption that names the objects of a scene in this order: 'detailed' with the ground's name, 'medium' without."""
    detailed = ground is not None
    if len(items) == 2:
        text = f'{noun_phrase(items[0], detailed)} {relation(items[0], items[1])} {noun_phrase(items[1], detailed)}'
    else:
        nouns = [noun_phrase(item, detailed) for item in items]
        text = ', '.join(nouns[:-1]) + (' and ' if len(nouns) > 1 else '') + nouns[-1]
    return text if ground is None else f'{text} on {with_article(ground)} ground'
