"""Images for an inferencer: files, arrays or Pillow images, read one after another."""

from collections.abc import Iterator, Sequence
from os import PathLike

import numpy as np
from PIL import Image

from florence.apis.readable_inputs import read_each
from florence.datasets.transforms import LoadImage, ResizeCenterCrop
from florence.datasets.transforms.load_image import decoding, upright_rgb

ImageSource = str | PathLike | np.ndarray | Image.Image


def list_images(images: ImageSource | Sequence[ImageSource]) -> list[ImageSource]:
    """One image or several as a list.

    Raises:
        ValueError: If there is none.
    """
    sources = [images] if isinstance(images, ImageSource) else list(images)
    if not sources:
        raise ValueError('expected one image or more, got none.')
    return sources


def name_of(image: ImageSource, index: int) -> str:
    """What messages and results call an image: the path of a file, else its place in the list."""
    return str(image) if isinstance(image, str | PathLike) else f'image-{index}'


def read_image(image: ImageSource) -> np.ndarray:
    """An upright image, `(H, W, 3)` uint8 RGB; a Pillow image becomes what its file would, an array stays as it is.

    Raises:
        ValueError: If the file is missing or broken, or the array is no such image.
    """
    if isinstance(image, Image.Image):
        # Pillow reads a file when its pixels are asked for.
        with decoding(getattr(image, 'filename', '') or 'of Pillow'):
            return upright_rgb(image)
    if not isinstance(image, np.ndarray):
        return LoadImage()({'img_path': str(image), 'sample_id': str(image)})['img']
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f'an image must be an (H, W, 3) uint8 array in RGB, got {image.shape} of {image.dtype}.')
    return image


def read_images(images: Sequence[ImageSource]) -> Iterator[tuple[int, np.ndarray]]:
    """Index and pixels of each image that can be read, `(H, W, 3)` uint8 RGB; the log names the others after the last one.

    Raises:
        ValueError: If no image can be read, or one is no image at all.
    """
    for index, image in enumerate(images):
        if not isinstance(image, ImageSource):
            raise ValueError(
                f'an image must be a path, an array or a Pillow image, image {index} is of type {type(image).__name__}.'
            )
    return read_each(images, read_image, 'image')


def read_crops(images: Sequence[ImageSource], side: int) -> Iterator[tuple[int, np.ndarray]]:
    """As `read_images`, each resized to `(side, side, 3)` as in an evaluation: the short side fits, the middle is kept."""
    crop = ResizeCenterCrop(side)
    return ((index, crop({'img': image})['img']) for index, image in read_images(images))


def load_crops(images: ImageSource | Sequence[ImageSource], side: int) -> tuple[list[str], list[np.ndarray]]:
    """`name_of` and crop of each image that `read_crops` can read, all at once."""
    sources = list_images(images)
    indices, crops = zip(*read_crops(sources, side), strict=True)
    return [name_of(sources[index], index) for index in indices], list(crops)
