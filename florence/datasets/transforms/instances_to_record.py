"""Boxes and masks of a detection data set as a record of Florence-2."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class InstancesToRecord(BaseTransform):
    """Sets `record` from `instances`, so that `CocoDetection` and whatever mmdet reads can be asked about in words.

    Instances that are to be ignored, such as crowds, are left out. Masks as run lengths have no polygon and are left out, too;
    their boxes stay.

    Args:
        classes: Names in the order of the labels; None: the `classes` of the sample.
    """

    def __init__(self, classes: Sequence[str] | None = None) -> None:
        self.classes = None if classes is None else tuple(classes)

    def transform(self, results: dict) -> dict:
        """Write the record of one sample.

        Args:
            results: Has `img_path` and `instances` as mmdet names them.

        Raises:
            KeyError: If the names of the classes are not known.
        """
        classes = self.classes or results.get('classes')
        if classes is None:
            raise KeyError('InstancesToRecord needs the names of the classes: pass classes=, the data set does not tell them')
        regions = []
        for instance in results['instances']:
            if instance.get('ignore_flag'):
                continue
            region = {'box': instance['bbox'], 'phrase': classes[instance['bbox_label']]}
            if isinstance(instance.get('mask'), list):
                region['polygons'] = instance['mask']
            regions.append(region)
        results['record'] = {'image': results['img_path'], 'regions': regions}
        results.setdefault('sample_id', results['img_path'])
        return results
