"""The language-only baseline sees nothing of the image and everything of the rest."""

import numpy as np

from florence.datasets.transforms import BlankImage


def test_only_the_pixels_go():
    img = np.full((4, 6, 3), 200, np.uint8)
    results = BlankImage()({'img': img, 'text': 'what color is it?'})
    assert results['img'].shape == (4, 6, 3) and results['img'].dtype == np.uint8 and not results['img'].any()
    assert results['text'] == 'what color is it?' and img.all(), 'the image of the data set itself is left alone'
