"""What a data set of boxes, captions or questions knows of an image, as a record of Florence-2."""

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS

CAPTION_KINDS = ('brief', 'detailed', 'more_detailed')


@TRANSFORMS.register_module()
class AnnotationsToRecord(BaseTransform):
    """Sets `record`, so that `CocoDetection`, `CocoCaptions`, `VQAv2` and whatever mmdet reads can be asked about in words.

    `instances` become regions; those that are to be ignored, such as crowds, are left out, and so are masks as run lengths, which
    have no polygon; their boxes stay. `text` with `answers` becomes a question with each of its annotators' answers. `captions`,
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
            results: Has `img_path`, and `instances`, `captions` or `text`.

        Raises:
            KeyError: If there are none of these, or instances whose names are not known.
        """
        record: dict[str, Any] = {'image': results['img_path']}
        if 'instances' in results:
            record['regions'] = self._regions(results)
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

    def _regions(self, results: dict) -> list[dict]:
        classes = self.classes or results.get('classes')
        if classes is None:
            raise KeyError('AnnotationsToRecord needs the names of the classes: pass classes=, the data set does not tell them')
        regions = []
        for instance in results['instances']:
            if instance.get('ignore_flag'):
                continue
            region = {'box': instance['bbox'], 'phrase': classes[instance['bbox_label']]}
            if isinstance(instance.get('mask'), list):
                region['polygons'] = instance['mask']
            regions.append(region)
        return regions
