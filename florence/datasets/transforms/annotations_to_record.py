"""What a data set of boxes, captions or questions knows of an image, as a record of Florence-2."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS

CAPTION_KINDS = ('brief', 'detailed', 'more_detailed')


@TRANSFORMS.register_module()
class AnnotationsToRecord(BaseTransform):
    """Sets `record`, so that `CocoDetection`, `CocoCaptions`, `VQAv2` and whatever mmdet reads can be asked about in words.

    `instances` become regions; those that are to be ignored, such as crowds, are left out, and so are masks as run lengths, which
    have no polygon; their boxes stay. After mmdet's transforms, which its `LoadAnnotations` begins, boxes and polygons are taken
    as flips and crops have left them. `text` with `answers` becomes a question with each of its annotators' answers. `captions`,
    or `text` alone, become texts.

    Args:
        classes: Names in the order of the labels; None: the `classes` of the sample.
        caption_kind: Which kind of texts captions are: 'brief', 'detailed' or 'more_detailed'.

    Raises:
        ValueError: If `caption_kind` is none of these.
    """

    def __init__(self, classes: Sequence[str] | None = None, caption_kind: str = 'brief') -> None:
        if caption_kind not in CAPTION_KINDS:
            raise ValueError(f'caption_kind must be one of {", ".join(CAPTION_KINDS)}, got {caption_kind!r}.')
        self.classes = None if classes is None else tuple(classes)
        self.caption_kind = caption_kind

    def transform(self, results: dict) -> dict:
        """Write the record of one sample.

        Args:
            results: Has `img_path`, and `gt_bboxes`, `instances`, `captions` or `text`.

        Raises:
            KeyError: If there are none of these, or instances whose names are not known.
        """
        record: dict[str, Any] = {'image': results['img_path']}
        if 'gt_bboxes' in results:
            record['regions'] = self._regions(results, _transformed_instances(results))
            results['ori_shape'] = results['img'].shape[:2]  # what the boxes belong to
        elif 'instances' in results:
            record['regions'] = self._regions(results, results['instances'])
        if 'answers' in results:
            record['questions'] = [{'question': results['text'], 'answer': answer} for answer in results['answers']]
        elif 'captions' in results or 'text' in results:
            record['texts'] = {self.caption_kind: list(results.get('captions', ())) or [results['text']]}
        if len(record) == 1:
            raise KeyError(
                f'AnnotationsToRecord needs instances, captions or text, {results["img_path"]} has {", ".join(results)}'
            )
        results['record'] = record
        results.setdefault('sample_id', results['img_path'])
        return results

    def _regions(self, results: dict, instances: Iterable[dict]) -> list[dict]:
        classes = self.classes or results.get('classes')
        if classes is None:
            raise KeyError('AnnotationsToRecord needs the names of the classes: pass classes=, the data set does not tell them')
        regions = []
        for instance in instances:
            if instance.get('ignore_flag'):
                continue
            region = {'box': instance['bbox'], 'phrase': classes[instance['bbox_label']]}
            if isinstance(instance.get('mask'), list):
                region['polygons'] = instance['mask']
            regions.append(region)
        return regions


def _transformed_instances(results: dict) -> Iterator[dict]:
    """What mmdet's transforms have made of the instances: boxes `(N, 4)`, labels and flags `(N,)`, maybe polygons of each."""
    boxes = results['gt_bboxes']
    boxes = boxes.numpy() if hasattr(boxes, 'numpy') else np.asarray(boxes)
    ignored = results.get('gt_ignore_flags', np.zeros(len(boxes), bool))
    outlines = getattr(results.get('gt_masks'), 'masks', None)
    for index, (box, label, is_ignored) in enumerate(zip(boxes, results['gt_bboxes_labels'], ignored, strict=True)):
        instance = {'bbox': box.tolist(), 'bbox_label': int(label), 'ignore_flag': bool(is_ignored)}
        if isinstance(outlines, list):  # of polygons; bitmaps are one array
            instance['mask'] = [part.tolist() for part in outlines[index]]
        yield instance
