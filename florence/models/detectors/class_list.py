"""The classes of a zero-shot detector: their label space, the names that the text tower reads, and names of the background."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mmengine.logging import print_log

from florence.tasks.background_names import GENERIC_BACKGROUND, without_classes

AUTO = 'auto'


@dataclass(frozen=True)
class ClassList:
    """Classes as they are told apart by their names.

    Attributes:
        classes: The label space: label i is `classes[i]`.
        names: K distinct names, after overrides.
        labels: Label of each of the K names; where several classes share a name, the first of them.
        background: Names that a region may have instead of a class.
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[int, ...]
    background: tuple[str, ...]


def make_class_list(
    classes: Sequence[str],
    overrides: Mapping[str, str] | None = None,
    background: str | Sequence[str] | None = AUTO,
) -> ClassList:
    """Check class names and find the distinct ones.

    Args:
        classes: Names of the label space, in order.
        overrides: Class name -> the name that the text tower reads instead, e.g. `{'dog-person': 'dog'}`; one that meets no class
            is for another data set, and is let be.
        background: Names of the background; 'auto': the generic list where all classes share one name, otherwise none.

    Raises:
        ValueError: If there is no class, or a name is empty or no text.
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ValueError(f'classes must be a list of names, got {classes!r}: put a single name in a list.')
    if isinstance(background, str) and background != AUTO:
        raise ValueError(f"background_names must be 'auto' or a list of names, got {background!r}.")
    chosen = background if isinstance(background, str) else tuple(background or ())
    return _class_list(tuple(classes), tuple((overrides or {}).items()), chosen)


# Cached, because data samples may bring the same thousand names with every image; what it says is then said once.
@lru_cache(maxsize=64)
def _class_list(classes: tuple, overrides: tuple[tuple[str, str], ...], background: str | tuple[str, ...]) -> ClassList:
    replaced = dict(overrides)
    read = [replaced.get(name, name) for name in classes]
    bad = [index for index, name in enumerate(read) if not isinstance(name, str) or not name.strip()]
    if not read or bad:
        found = f'name {bad[0]} is {read[bad[0]]!r}' if bad else 'got none'
        raise ValueError(f'zero-shot detection needs at least one class, each with a name that is not blank: {found}.')
    first: dict[str, int] = {}
    for index, name in enumerate(read):
        label = first.setdefault(name.strip(), index)
        if label != index:
            print_log(
                f'classes {label} ({classes[label]!r}) and {index} ({classes[index]!r}) share the name {name.strip()!r}: '
                f'detections of it carry label {label}.',
                'current',
                logging.WARNING,
            )
    generic = GENERIC_BACKGROUND if len(first) == 1 else ()
    names = generic if isinstance(background, str) else background
    return ClassList(classes, tuple(first), tuple(first.values()), without_classes(names, first))
