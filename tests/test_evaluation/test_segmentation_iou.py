"""mIoU against a confusion matrix that is filled pixel by pixel."""

import numpy as np
import pytest
import torch

from florence.evaluation.metrics import SegmentationIoU

CLASSES = ('ground', 'cat', 'dog', 'bird', 'nobody')


def metric(**options):
    made = SegmentationIoU(**options)
    made.dataset_meta = dict(classes=CLASSES)
    return made


def sample(wanted, found):
    masks = {'gt_sem_seg': wanted, 'pred_sem_seg': found}
    return {'img_path': 'a.png', **{key: {'sem_seg': torch.from_numpy(mask)[None]} for key, mask in masks.items()}}


def test_figures_are_those_of_a_confusion_matrix():
    rng = np.random.default_rng(0)
    made, matrix = metric(per_class=True), np.zeros((5, 5))
    for size in ((9, 7), (20, 3), (5, 5)):
        wanted, found = rng.integers(0, 3, size), rng.integers(0, 4, size)  # nobody shows a bird, but it is found
        found = np.where(rng.random(size) < 0.6, wanted, found)
        wanted[:2] = 255
        made.process(None, [sample(wanted.astype(np.uint8), found)])
        for pair in zip(wanted.ravel(), found.ravel(), strict=True):
            if pair[0] != 255:
                matrix[pair] += 1
    right = np.diag(matrix)
    overlap = right[:4] / (matrix.sum(0) + matrix.sum(1) - right)[:4]
    figures = made.evaluate(3)
    assert figures['mIoU'] == pytest.approx(100 * overlap.mean())
    assert figures['mAcc'] == pytest.approx(100 * (right / matrix.sum(1).clip(1))[:3].mean())
    assert figures['aAcc'] == pytest.approx(100 * right.sum() / matrix.sum())
    assert [figures[f'IoU/{name}'] for name in CLASSES] == pytest.approx([*100 * overlap, 0])


@pytest.mark.parametrize(
    ('wanted', 'found', 'message'),
    [
        (np.full((4, 4), 5), np.zeros((4, 4), int), 'a.png: the mask has classes 5 to 5, the data set names 5'),
        (np.zeros((4, 5), int), np.zeros((4, 4), int), r'a.png: the mask is \(4, 5\), the answer \(4, 4\)'),
    ],
)
def test_masks_that_do_not_fit_are_named(wanted, found, message):
    with pytest.raises(ValueError, match=message):
        metric().process(None, [sample(wanted, found)])


def test_a_set_without_classes_is_refused():
    made = metric()
    made.process(None, [sample(np.full((4, 4), 255), np.zeros((4, 4), int))])
    with pytest.raises(ValueError, match='saw no pixel with a class'):
        made.evaluate(1)
