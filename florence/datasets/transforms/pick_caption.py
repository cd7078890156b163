"""One of several descriptions of an image, drawn anew each time the sample is read in training."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PickCaption(BaseTransform):
    """Replace `captions` by `text`, a random one of them; a sample that has one `text` passes unchanged."""

    @cache_randomness
    def _draw(self, count: int) -> int:
        return np.random.randint(count)

    def transform(self, results: dict) -> dict:
        """Draw the text of one sample.

        Args:
            results: Has `captions`, tuple of str, or `text`.

        Raises:
            ValueError: If it has neither, or the label was taken before.
        """
        if 'captions' not in results:
            if 'text' not in results:
                raise ValueError(f'PickCaption: sample {results["sample_id"]!r} has neither captions nor text')
            return results
        if 'label' in results:
            raise ValueError('PickCaption must stand before HashTextLabel in the pipeline: the label is that of its text')
        captions = results.pop('captions')
        results.pop('caption_ids', None)
        results['text'] = captions[self._draw(len(captions))]
        return results
