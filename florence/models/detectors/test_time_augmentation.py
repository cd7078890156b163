"""Detections of several scales and flips of an image merged into one, as for DyHead's multi-scale testing (arXiv 2106.08322).

GLIP's code uses scales from 400 to 1800 with the longer side up to 2500, a range of sizes for each scale, and votes. Differs from
mmdet's `DetTTAModel`: votes and soft-NMS besides NMS, ranges of sizes, masks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor, nn

from florence.models.detectors.box_merging import METHODS, mean_masks, merge_boxes
from florence.registry import MODELS

SETTINGS = {
    'merge': 'vote',
    'iou_threshold': 0.6,
    'min_score': 0.05,
    'max_per_img': 100,
    'size_ranges': None,
    'masks': 'mean',
}


@MODELS.register_module()
class DetectionTTA(BaseTTAModel):
    """Wraps a detector of mmdet's kind; the views come from `TestTimeAug` in the pipeline.

    Args:
        module: The detector, or its config.
        tta_cfg: `merge` (one of `'nms'`, `'soft_nms'`, `'vote'`, `'soft_vote'`; see `merge_boxes`), `iou_threshold`, `min_score`
            (least score after lowering), `max_per_img`, `size_ranges` (for each scale the least and largest square root of a
            box's area, in pixels of the resized image, outside of which its boxes are dropped; None = keep all) and `masks`
            (`'mean'`, the pixels that the merged masks agree on, or `'drop'`).
        data_preprocessor: Replaces that of a detector given as config.

    Raises:
        ValueError: If a setting is unknown.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        tta_cfg: Mapping[str, Any] | None = None,
        data_preprocessor: dict | nn.Module | None = None,
    ) -> None:
        super().__init__(module=module, data_preprocessor=data_preprocessor)
        self.settings = {**SETTINGS, **(tta_cfg or {})}
        unknown = sorted(set(self.settings) - set(SETTINGS))
        if unknown:
            raise ValueError(f'tta_cfg of DetectionTTA has no {unknown}; it has {sorted(SETTINGS)}.')
        for name, allowed in (('merge', METHODS), ('masks', ('mean', 'drop'))):
            if self.settings[name] not in allowed:
                raise ValueError(f'{name} of DetectionTTA must be one of {allowed}, got {self.settings[name]!r}.')
        ranges = self.settings['size_ranges']
        if ranges is not None and (not ranges or any(len(one) != 2 or one[0] >= one[1] for one in ranges)):
            raise ValueError(f'size_ranges of DetectionTTA needs a least and a largest size for each scale, got {ranges!r}.')
        self._told_of_masks = False

    def merge_preds(self, data_samples_list: Sequence[Sequence[BaseDataElement]]) -> list[BaseDataElement]:
        """One prediction per image.

        Args:
            data_samples_list: For each image, the `DetDataSample` of each view, with boxes in pixels of the original image.

        Raises:
            KeyError: If a sample does not say how it was flipped or resized.
            ValueError: If `size_ranges` does not fit the views.
        """
        return [self._merge(views) for views in data_samples_list]

    def _merge(self, views: Sequence[BaseDataElement]) -> BaseDataElement:
        ranges = self._range_of_each(views)
        found = [_upright(view, own_range) for view, own_range in zip(views, ranges)]
        boxes, scores, labels = (torch.cat([one[name] for one in found]) for name in ('bboxes', 'scores', 'labels'))
        merged = merge_boxes(
            boxes,
            scores,
            labels,
            method=self.settings['merge'],
            iou_threshold=self.settings['iou_threshold'],
            min_score=self.settings['min_score'],
            max_boxes=self.settings['max_per_img'],
        )
        instances = InstanceData(bboxes=merged.boxes, scores=merged.scores, labels=merged.labels)
        if 'masks' in found[0]:
            if self.settings['masks'] == 'mean':
                instances.masks = mean_masks(torch.cat([one['masks'] for one in found]), scores, merged.members)
            elif not self._told_of_masks:
                self._told_of_masks = True
                print_log("DetectionTTA drops the masks, since tta_cfg says masks='drop'.", 'current')
        result = views[0]
        result.pred_instances = instances
        return result

    def _range_of_each(self, views: Sequence[BaseDataElement]) -> list[Sequence[float] | None]:
        """The range of sizes of each view; views of one scale follow each other."""
        ranges = self.settings['size_ranges']
        if ranges is None:
            return [None] * len(views)
        per_scale, rest = divmod(len(views), len(ranges))
        groups = [views[start : start + per_scale] for start in range(0, len(views), max(per_scale, 1))]
        if rest or any(len({tuple(_meta(view, 'img_shape')[:2]) for view in group}) > 1 for group in groups):
            shapes = [tuple(_meta(view, 'img_shape')[:2]) for view in views]
            raise ValueError(
                f'size_ranges of DetectionTTA has {len(ranges)} ranges, but the views have the shapes {shapes}: give one range '
                'per scale, and put Resize before RandomFlip in TestTimeAug.'
            )
        return [ranges[index // per_scale] for index in range(len(views))]


def _upright(view: BaseDataElement, size_range: Sequence[float] | None) -> dict[str, Tensor]:
    """Boxes, scores, labels and masks of a view as if it had not been flipped, those outside of the range left out."""
    instances = view.pred_instances
    boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
    direction = _meta(view, 'flip_direction') if _meta(view, 'flip') else None
    height, width = _meta(view, 'ori_shape')[:2]
    found = {'bboxes': _flip_boxes(boxes, direction, height, width), 'scores': instances.scores, 'labels': instances.labels}
    if 'masks' in instances:
        found['masks'] = _flip_masks(instances.masks, direction)
    if size_range is None:
        return found
    scale_x, scale_y = _meta(view, 'scale_factor')[:2]
    sizes = ((boxes[:, 2] - boxes[:, 0]) * scale_x * (boxes[:, 3] - boxes[:, 1]) * scale_y).clamp(min=0).sqrt()
    keep = (sizes > size_range[0]) & (sizes < size_range[1])
    return {name: values[keep] for name, values in found.items()}


def _flip_boxes(boxes: Tensor, direction: str | None, height: int, width: int) -> Tensor:
    left, top, right, bottom = boxes.unbind(-1)
    if direction in ('horizontal', 'diagonal'):
        left, right = width - right, width - left
    if direction in ('vertical', 'diagonal'):
        top, bottom = height - bottom, height - top
    return torch.stack([left, top, right, bottom], dim=-1)


def _flip_masks(masks: Tensor, direction: str | None) -> Tensor:
    dims = {None: (), 'horizontal': (2,), 'vertical': (1,), 'diagonal': (1, 2)}[direction]
    return masks.flip(dims) if dims else masks


def _meta(view: BaseDataElement, name: str) -> Any:
    if name not in view.metainfo:
        raise KeyError(
            f'a view lacks {name!r}: list it in meta_keys of PackDetInputs, and let TestTimeAug have RandomFlip (prob=0.0: none).'
        )
    return view.metainfo[name]
