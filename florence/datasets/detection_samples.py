"""One sample through a pipeline of mmdet, whose loaders raise what they like at a broken image."""

from collections.abc import Callable
from typing import Any

from florence.datasets.bad_samples import BadSample
from florence.datasets.transforms.load_image import LoadImage


def processed(info: dict, pipeline: Callable[[dict], Any]) -> Any:
    """What the pipeline makes of a sample.

    Args:
        info: Annotation of the sample, with `img_path`.
        pipeline: Steps that begin with the reading of the image.

    Raises:
        BadSample: If the image cannot be read; any other error is the pipeline's own.
    """
    path = info['img_path']
    try:
        return pipeline(info)
    except Exception as error:
        # Whether the image or the pipeline is to blame, the file itself tells.
        if not isinstance(error, BadSample | MemoryError):
            LoadImage().transform({'img_path': path, 'sample_id': path})
        raise
