"""Which label of a model is which class of an annotation file."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from mmengine.logging import print_log

from florence.evaluation.functional.coco_annotations import CocoAnnotations


def match_labels(annotations: CocoAnnotations, classes: Sequence[str], match_by: str) -> np.ndarray:
    """Class of each label, `(C,)`, as an index into the classes of the annotation file.

    Args:
        annotations: With all classes of the file.
        classes: Name of each label, as the data set gives them.
        match_by: `'name'`, or `'id_order'`: label i is the category with the i-th smallest id, whatever they are called.

    Raises:
        ValueError: If names are not in the file or not unique, or the numbers of classes differ.
    """
    if match_by == 'id_order':
        if len(classes) != len(annotations.names):
            raise ValueError(
                f'the data set has {len(classes)} classes and the annotation file {len(annotations.names)}: matched by the order '
                "of ids they must be as many; use match_by='name' to evaluate some of them."
            )
        return np.arange(len(classes))
    for what, names in (('data set', classes), ('annotation file', annotations.names)):
        twice = sorted({name for name in names if list(names).count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"the {what} has several classes called {twice[0]!r}: use match_by='id_order' if ids are in order.")
    index_of = {name: index for index, name in enumerate(annotations.names)}
    missing = [name for name in classes if name not in index_of]
    if missing:
        raise ValueError(_difference(missing, annotations.names, len(classes)))
    unused = sorted(set(annotations.names) - set(classes))
    if unused:
        print_log(f'{len(unused)} categories of the file are no classes of the data set and not evaluated: {unused}.', 'current')
    return np.array([index_of[name] for name in classes], np.int64)


def restrict(
    annotations: CocoAnnotations, labels: np.ndarray, classes: Sequence[str], eval_classes: Sequence[str] | None = None
) -> tuple[CocoAnnotations, np.ndarray]:
    """Annotations of the evaluated classes alone, called by the names of the data set, and the class of each label among them.

    Args:
        annotations: With all classes of the file.
        labels: Of `match_labels`, `(C,)`.
        classes: Name of each label.
        eval_classes: Classes to evaluate; None = all of `classes`.

    Returns:
        The annotations, and the class of each label, -1 = not evaluated, `(C,)`.

    Raises:
        ValueError: If `eval_classes` is empty or names a class that the data set does not have.
    """
    chosen = list(range(len(classes)))
    if eval_classes is not None:
        chosen = group_indices({'eval_classes': eval_classes}, tuple(classes), 'argument')['eval_classes']
    by_id = sorted(chosen, key=lambda label: labels[label])
    new_labels = np.full(len(classes), -1)
    new_labels[by_id] = np.arange(len(by_id))
    restricted = annotations.restricted_to(labels[by_id].tolist())
    return replace(restricted, names=tuple(classes[label] for label in by_id)), new_labels


def group_indices(groups: Mapping[str, Sequence[str]], names: Sequence[str], argument: str) -> dict[str, list[int]]:
    """Indices of the classes of each group, ascending.

    Raises:
        ValueError: If a group is empty or names an unknown class.
    """
    result = {}
    for group, members in groups.items():
        unknown = [name for name in members if name not in names]
        if not members:
            raise ValueError(f'{argument} {group!r} has no classes: leave it out or name some.')
        if unknown:
            raise ValueError(f'{argument} {group!r}: {_difference(unknown, names, len(members))}')
        result[group] = sorted(names.index(name) for name in members)
    return result


def _difference(missing: Sequence[str], names: Sequence[str], total: int) -> str:
    shown = []
    for name in missing[:3]:
        close = difflib.get_close_matches(name.lower(), [other.lower() for other in names], n=1)
        near = [other for other in names if close and other.lower() == close[0]]
        shown.append(f'{name!r}' + (f' (is it {near[0]!r}?)' if near else ''))
    others = f', {len(names)} in number: {list(names[:5])}{" ..." if len(names) > 5 else ""}'
    return (
        f'{len(missing)} of {total} classes are not among those evaluated{others}; not there: {", ".join(shown)}. Use the names '
        'of the annotation file (metainfo of the data set, or the argument of the metric), or the metric would be 0 for them.'
    )
