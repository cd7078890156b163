"""Decode an image file, or the bytes of one, to the upright RGB pixels that a person would see."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageOps, UnidentifiedImageError

from florence.datasets.bad_samples import BadSample
from florence.registry import TRANSFORMS


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as 8-bit RGB; transparent parts lie on white, 16-bit grey keeps its upper 8 bits.

    Raises:
        ValueError: If the pixels are 32-bit numbers, which have no agreed white.
    """
    if image.mode == 'RGB' and 'transparency' not in image.info:
        return image
    if image.mode.startswith('I;16'):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        raise ValueError(f'its pixels are 32-bit numbers (mode {image.mode}), save it with 8 or 16 bits')
    if image.has_transparency_data:
        rgba = image.convert('RGBA')
        white = Image.new('RGBA', rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert('RGB')
    return image.convert('RGB')


def upright_rgb(image: Image.Image) -> np.ndarray:
    """The pixels of a Pillow image as a person would see it, `(H, W, 3)` uint8 RGB; raises as `to_rgb`."""
    return np.array(to_rgb(ImageOps.exif_transpose(image)))


@contextmanager
def decoding(name: object) -> Iterator[None]:
    """Errors of a decoder within the block become a `BadSample`, a `ValueError` that names the image."""
    try:
        yield
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise BadSample(f'cannot decode image {name}: the file is no image of a known format') from error
    # On broken bytes decoders raise what they like: OSError, SyntaxError, struct.error, IndexError, ...
    except Exception as error:
        raise BadSample(f'cannot decode image {name}: {error}') from error


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Sets `img`, `(H, W, 3)` uint8 RGB, and `ori_shape`, `(H, W)`, from `img_bytes` or `img_path`.

    Rotation in EXIF is applied, every colour mode becomes RGB, of an animation the first frame is taken.

    Args:
        min_size: Shortest side in pixels below which an image counts as bad; None = any size.
    """

    def __init__(self, min_size: int | None = None) -> None:
        self.min_size = min_size

    def transform(self, results: dict) -> dict:
        """Decode one image.

        Args:
            results: Has `img_path`, or `img_bytes` and `sample_id`; the bytes are taken out.

        Raises:
            BadSample: If the file is missing, broken, cut short or too small; a `ValueError` that names it.
        """
        name = results['img_path'] if 'img_path' in results else results['sample_id']
        data = results.pop('img_bytes', None)
        if data is None:
            try:
                data = Path(results['img_path']).read_bytes()
            except OSError as error:
                raise BadSample(f'cannot open image {name}: {error.strerror or error}') from error
        img = self._decode(data, name)
        height, width = img.shape[:2]
        if self.min_size is not None and min(height, width) < self.min_size:
            raise BadSample(f'image {name} is {width} x {height} pixels, shorter than min_size {self.min_size}')
        results['img'] = img
        results['ori_shape'] = (height, width)
        return results

    @staticmethod
    def _decode(data: bytes, name: str) -> np.ndarray:
        if not data:
            raise BadSample(f'cannot decode image {name}: the file is empty')
        with decoding(name), Image.open(io.BytesIO(data)) as image:
            image.load()
            return upright_rgb(image)
