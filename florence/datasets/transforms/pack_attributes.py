"""mmdet's packing step with attributes added to the ground truth (Visual Genome)."""

import torch
from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS

META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction')


@TRANSFORMS.register_module()
class PackAttributes(BaseTransform):
    """`mmdet.PackDetInputs`, then `gt_instances.attributes`: 1.0 where a box has the attribute, `(N, A)`.

    mmdet's own steps carry boxes, labels and masks along, not attributes. So no step before this one may drop or add boxes:
    resizing and flipping do not, cropping, mosaics and filters do, which is an error here.

    Args:
        meta_keys: Entries of the results that become metainfo of the data sample; `VisualGenomeMetric` needs 'instances' too.
    """

    def __init__(self, meta_keys: tuple[str, ...] = META_KEYS) -> None:
        self.pack = TRANSFORMS.build(dict(type='mmdet.PackDetInputs', meta_keys=tuple(meta_keys)))

    def transform(self, results: dict) -> dict:
        """Pack one sample.

        Args:
            results: Has `instances` with `attributes`, and `num_attributes`, as `florence.VisualGenome` gives them.

        Returns:
            `inputs` and `data_samples`, as mmdet packs them.

        Raises:
            KeyError: If the data set gives no attributes.
            ValueError: If boxes were dropped or added on the way.
        """
        if 'num_attributes' not in results:
            raise KeyError('PackAttributes needs `num_attributes` and instances with `attributes`: use florence.VisualGenome.')
        attributes = torch.zeros(len(results['instances']), results['num_attributes'])
        for row, instance in enumerate(results['instances']):
            attributes[row, instance['attributes']] = 1
        packed = self.pack(results)
        if 'gt_bboxes' not in results:  # a test pipeline without LoadAnnotations
            return packed
        truth = packed['data_samples'].gt_instances
        if len(truth) != len(attributes):
            raise ValueError(
                f'{len(attributes)} boxes were read and {len(truth)} are left of {results.get("img_path")}: attributes cannot '
                'follow, use a pipeline that neither drops nor adds boxes (resize, flip).'
            )
        truth.attributes = attributes
        return packed
