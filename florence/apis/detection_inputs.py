"""A user's own images as the input of a detector: read whole, then taken through the test pipeline of its config."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import DefaultScope

from florence.apis.config_pipeline import pipeline_of_tests

DEFAULT_PIPELINE = [
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]


class DetectionInputs:
    """Images -> a batch for the detector's `test_step`.

    Images of any size are taken: the pipeline brings them to the size of the network, up or down, with their shape kept.

    Args:
        config: Its test pipeline is used, without the steps that read files; where it has none, or there is no config, images are
            resized to fit 1333 x 800.
    """

    def __init__(self, config: Config | None = None) -> None:
        steps = (pipeline_of_tests(config) if config is not None else None) or DEFAULT_PIPELINE
        scope = (config or {}).get('default_scope') or 'mmdet'
        with DefaultScope.overwrite_default_scope(scope):
            self.pipeline = Compose([step for step in steps if not _reads_files(step)])

    def __call__(self, images: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, list]:
        """`inputs` and `data_samples` of some images.

        Args:
            images: `(H, W, 3)` uint8 RGB.
            names: What messages call them.

        Raises:
            ValueError: If an image cannot be resized: one so long and narrow that less than one pixel would be left of its width.
        """
        packed = [self._pack(image, name, index) for index, (image, name) in enumerate(zip(images, names, strict=True))]
        return {key: [item[key] for item in packed] for key in ('inputs', 'data_samples')}

    def _pack(self, image: np.ndarray, name: str, index: int) -> dict[str, Any]:
        shape = image.shape[:2]
        results = dict(img=np.ascontiguousarray(image[..., ::-1]), img_path=name, img_id=index, img_shape=shape, ori_shape=shape)
        try:
            return self.pipeline(results)
        # OpenCV has its own error class, which is no ValueError.
        except Exception as error:
            reason = ' '.join(str(error).split())
            raise ValueError(
                f'image {name}, {shape[1]} x {shape[0]} pixels, does not pass the test pipeline; is one side too short? {reason}'
            ) from error


def _reads_files(step: Mapping) -> bool:
    return str(step.get('type')).rpartition('.')[2].startswith('Load')
