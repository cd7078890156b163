"""Overlap of predicted and true classes of pixels, as ADE20K and Cityscapes measure it.

mmdet's `SemSegMetric` gives the same `mIoU` and `mAcc`; what it calls `aAcc` is a mean over classes, too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from florence.registry import METRICS


@METRICS.register_module()
class SegmentationIoU(BaseMetric):
    """Reads `gt_sem_seg.sem_seg` and `pred_sem_seg.sem_seg`; the data set's `classes` tell how many there are.

    Gives, in percent, over all pixels of the set that have a class: `mIoU` and `mAcc`, means over classes of intersection over
    union and of the share of a class that was found, without classes that no pixel has; `aAcc`, the share of right pixels.

    Args:
        ignore_index: Class of pixels that do not count.
        per_class: Also give `IoU/NAME` of each class.
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = ''

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.ignore_index, self.per_class = ignore_index, per_class

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each image.

        Raises:
            ValueError: If a mask has a class that the data set does not name, or the sizes differ.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            found, wanted = (sample[key]['sem_seg'].squeeze(0).cpu().long() for key in ('pred_sem_seg', 'gt_sem_seg'))
            name = sample.get('img_path', 'a sample')
            if found.shape != wanted.shape:
                raise ValueError(
                    f'{name}: the mask is {tuple(wanted.shape)}, the answer {tuple(found.shape)}: load masks after the resize.'
                )
            counts = wanted != self.ignore_index
            found, wanted = found[counts], wanted[counts]
            if wanted.numel() and not 0 <= int(wanted.min()) <= int(wanted.max()) < num_classes:
                raise ValueError(
                    f'{name}: the mask has classes {int(wanted.min())} to {int(wanted.max())}, the data set names {num_classes}.'
                )
            self.results.append([_histogram(each, num_classes) for each in (wanted[found == wanted], found, wanted)])

    def compute_metrics(self, results: list[list[np.ndarray]]) -> dict[str, float]:
        """Figures of the set.

        Raises:
            ValueError: If no pixel has a class.
        """
        shared, found, wanted = np.sum(np.array(results), 0)  # (K,) each
        if not wanted.sum():
            raise ValueError('SegmentationIoU saw no pixel with a class: check reduce_zero_label and the masks.')
        present, either = wanted > 0, found + wanted - shared
        overlap = 100 * shared / np.maximum(either, 1)
        figures = {
            'mIoU': float(overlap[either > 0].mean()),
            'mAcc': float((100 * shared[present] / wanted[present]).mean()),
            'aAcc': float(100 * shared.sum() / wanted.sum()),
        }
        if self.per_class:
            figures |= {f'IoU/{name}': float(value) for name, value in zip(self.dataset_meta['classes'], overlap, strict=True)}
        return figures


def _histogram(classes: Tensor, num_classes: int) -> np.ndarray:
    return torch.bincount(classes, minlength=num_classes)[:num_classes].numpy()
