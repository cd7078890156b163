"""Last step of a pipeline: the results dict becomes a tensor and an `ImageTextSample`."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS
from florence.structures import ImageTextSample
from florence.tasks.text_hash import UNLABELLED


@TRANSFORMS.register_module()
class PackImageText(BaseTransform):
    """Pack one sample for `florence.TwoTower`, `florence.METERModel` and `florence.Florence2`.

    Reads `img`, `sample_id` and whatever of `FIELDS` and `METAINFO` the pipeline has set; `ImageTextSample` says what they mean.
    A sample with a text but no label is packed as unlabelled (it matches only itself).
    """

    FIELDS = (
        'text', 'label', 'is_templated', 'captions', 'caption_ids', 'gt_label', 'gt_labels', 'classes',
        'templates', 'answers', 'answer_scores', 'task', 'prompt', 'target', 'references',
        'truth',
    )  # fmt: skip
    METAINFO = (
        'sample_id', 'img_path', 'filename', 'image_id', 'ori_shape', 'canvas_shape', 'question_id', 'question_type',
        'answer_type',
    )  # fmt: skip

    def transform(self, results: dict) -> dict:
        """Pack one sample.

        Args:
            results: `img` is `(H, W, 3)` uint8 RGB.

        Returns:
            `inputs`: `(3, H, W)` uint8 tensor; `data_samples`: `ImageTextSample`.

        Raises:
            ValueError: If `img` is not such an image.
        """
        img = results['img']
        if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
            raise ValueError(
                f'PackImageText needs an (H, W, 3) uint8 image, sample {results["sample_id"]!r} has shape '
                f'{tuple(img.shape)} and type {img.dtype}: resize and convert it earlier in the pipeline'
            )
        sample = ImageTextSample(
            metainfo={key: results[key] for key in self.METAINFO if key in results} | {'img_shape': img.shape[:2]}
        )
        defaults = {'label': UNLABELLED, 'is_templated': False} if 'text' in results else {}
        sample.set_data(defaults | {key: results[key] for key in self.FIELDS if key in results})
        inputs = torch.from_numpy(np.ascontiguousarray(img.transpose(2, 0, 1)))  # (H, W, 3) -> (3, H, W)
        return {'inputs': inputs, 'data_samples': sample}
