"""Change of image size by Pillow's antialiased bicubic filter, which CLIP and its peers train with."""

import numpy as np
from PIL import Image


def resize_bicubic(img: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize one image; one that has the size already is returned as it is.

    Args:
        img: `(H, W, 3)` uint8.
        width, height: New size, pixels.

    Returns:
        `(height, width, 3)` uint8.
    """
    if img.shape[:2] == (height, width):
        return img
    image = Image.fromarray(np.ascontiguousarray(img))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC))
