"""Detection of the digits of a scene, in the sample format of mmdet's COCO data set after its `LoadImageFromFile`."""

from collections.abc import Sequence

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.render import boxes_of_masks, polygons_of_mask, visible_masks
from florence.datasets.digit_scenes.scene import DIGIT_NAMES, DigitScene
from florence.registry import DATASETS


@DATASETS.register_module()
class DigitSceneDetection(DigitSceneDataset):
    """Scenes with a box and a stroke outline for every digit; images are BGR, as mmdet reads them.

    Args:
        num_scenes: Length of the data set.
        split: 'train' or 'test': which scans of digits are shown.
        seed: Another seed gives other scenes.
        recipe: Arguments of `SceneRecipe`; its `digits` holds classes out of the boxes.
        pipeline: Transforms after the rendering; begin with `mmdet.LoadAnnotations`.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        split: str,
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        self.metainfo['classes'] = DIGIT_NAMES

    def image(self, scene: DigitScene) -> np.ndarray:
        """Picture of a scene, `(S, S, 3)` uint8 BGR."""
        return np.ascontiguousarray(super().image(scene)[..., ::-1])

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`instances` with `bbox` (`xyxy`, pixels), `bbox_label` (the digit) and `mask` (polygons), and the sizes of the image.

        A digit that nearer ones hide entirely is no instance.
        """
        masks = visible_masks(scene)
        instances = [
            dict(bbox=box, bbox_label=item.digit, mask=polygons_of_mask(mask), ignore_flag=0)
            for item, mask, box in zip(scene.objects, masks, boxes_of_masks(masks).tolist(), strict=True)
            if mask.any()
        ]
        side = scene.image_size
        return {
            'img_id': self.scene_index(index),
            'img_path': f'{self.scene_index(index):06d}.png',
            'height': side,
            'width': side,
            'img_shape': (side, side),
            'ori_shape': (side, side),
            'instances': instances,
        }
