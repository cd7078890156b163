"""What the sets of judged sentences share: a sentence about an image, or a pair of images, and a class from a fixed list."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.logging import print_log


def label_index(label: Any, indices: Mapping[str, int], place: str) -> int:
    """Index of a label, whatever its case.

    Raises:
        ValueError: If there is no such label.
    """
    index = indices.get(str(label).lower())
    if index is None:
        raise ValueError(f'{place} has the label {label!r}, expected one of {", ".join(indices)}')
    return index


def settle_sentences(entries: Iterable[dict], *, name: str, test_mode: bool) -> list[dict]:
    """Check the sentences of a set; those without `gt_label` are left out of training, the log says how many.

    Args:
        entries: Samples with `sample_id`, `text` and, where it is known, `gt_label`.
        name: Name of the set, for messages.
        test_mode: Evaluation: every sentence stays (the labels of a hidden test set are not known).

    Raises:
        ValueError: If two samples have one id.
    """
    entries = list(entries)
    twice = [sample for sample, count in Counter(entry['sample_id'] for entry in entries).items() if count > 1]
    if twice:
        raise ValueError(f'{name}: {len(twice)} sample ids occur more than once, e.g. {twice[0]!r}: list no file twice.')
    labelled = [entry for entry in entries if 'gt_label' in entry]
    if len(labelled) < len(entries):
        fate = 'they cannot be scored' if test_mode else 'left out of training'
        print_log(f'{name}: {len(entries) - len(labelled)} of {len(entries)} sentences have no label: {fate}', logger='current')
    return entries if test_mode else labelled
