"""Last step of a pipeline whose samples have several images each."""

import torch
from mmcv.transforms import BaseTransform

from florence.datasets.transforms.pack_image_text import PackImageText
from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackImages(BaseTransform):
    """As `PackImageText`, with `inputs` `(N, 3, H, W)`: the N images of `imgs`, in their order."""

    def __init__(self) -> None:
        self.pack = PackImageText()

    def transform(self, results: dict) -> dict:
        """Pack one sample.

        Args:
            results: `imgs` holds `(H, W, 3)` uint8 RGB arrays of one size.

        Returns:
            `inputs`: `(N, 3, H, W)` uint8 tensor; `data_samples`: `ImageTextSample`.

        Raises:
            ValueError: If the images differ in size or are of another kind.
        """
        packed = [self.pack({**results, 'img': img}) for img in results['imgs']]
        sizes = {tuple(entry['inputs'].shape[1:]) for entry in packed}
        if len(sizes) > 1:
            raise ValueError(
                f'the images of sample {results["sample_id"]!r} have the sizes (H, W) {sorted(sizes)}: end the steps of '
                'ForEachImage with a resize or crop to a fixed size.'
            )
        return {'inputs': torch.stack([entry['inputs'] for entry in packed]), 'data_samples': packed[0]['data_samples']}
