"""All captions of one image as one sample: the form that retrieval is measured on."""

from collections.abc import Sequence
from pathlib import Path


def caption_sample(image: str, captions: Sequence[tuple[object, str]], img_root: Path, max_captions: int | None) -> dict:
    """The annotation of one image with its captions.

    Args:
        image: File name of the image.
        captions: Pairs of caption id and text, in the order of the file.
        img_root: Folder of the images.
        max_captions: Keep the first so many captions; None = all.

    Returns:
        The annotation of one sample.
    """
    kept = captions[:max_captions]
    return {
        'sample_id': image,
        'img_path': str(img_root / image),
        'image_id': image,
        'captions': tuple(text for _, text in kept),
        'caption_ids': tuple(number for number, _ in kept),
    }
