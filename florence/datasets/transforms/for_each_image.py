"""The same steps for every image of a sample that has several (NLVR2: a pair)."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ForEachImage(BaseTransform):
    """Reads `img_paths`; sets `imgs`, a list of `(H, W, 3)` uint8 arrays. A random step draws anew for each image.

    Args:
        transforms: Steps from `img_path` to `img`, or their configs: `LoadImage`, resizing, augmentation.
    """

    def __init__(self, transforms: Sequence[dict]) -> None:
        self.steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in transforms]

    def transform(self, results: dict) -> dict:
        """Read and process the images of one sample.

        Args:
            results: Has `sample_id` and `img_paths`.

        Raises:
            BadSample: If an image cannot be used.
            KeyError: If the data set names no `img_paths`.
        """
        if 'img_paths' not in results:
            raise KeyError('ForEachImage needs img_paths; samples of one image have img_path: use the steps without it.')
        results['imgs'] = [self._process(results['sample_id'], path) for path in results['img_paths']]
        return results

    def _process(self, sample_id: str, path: str) -> np.ndarray:
        image: dict = {'sample_id': sample_id, 'img_path': path}
        for step in self.steps:
            image = step(image)
        return image['img']
