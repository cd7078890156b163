"""Which digit each pixel of a scene shows, in the sample format of mmdet's segmentation sets after `LoadAnnotations`."""

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.render import visible_masks
from florence.datasets.digit_scenes.scene import DIGIT_NAMES, DigitScene
from florence.registry import DATASETS


@DATASETS.register_module()
class DigitSceneSegmentation(DigitSceneDataset):
    """Scenes with `gt_seg_map`, `(S, S)` uint8: 0 is the ground, 1 + n the digit n; images are RGB.

    Args:
        *args, **kwargs: See `DigitSceneDataset`.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.metainfo['classes'] = ('ground', *DIGIT_NAMES)

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`gt_seg_map`, name and sizes of the image."""
        side = scene.image_size
        classes = np.zeros((side, side), np.uint8)
        for item, mask in zip(scene.objects, visible_masks(scene), strict=True):
            classes[mask] = 1 + item.digit
        return {
            'gt_seg_map': classes,
            'img_path': f'{self.scene_index(index):06d}.png',
            'img_shape': (side, side),
            'ori_shape': (side, side),
        }
