"""Samples through the pipelines of mmdet, whose loaders raise what they like at a broken image."""

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


class GuardedSamples:
    """Mixin of mmengine's `BaseDataset` with a `guard`, a `BadSampleGuard`: what happens at a broken image.

    Steps of mmdet that leave nothing of a sample, such as a crop without a box or `FilterAnnotations`, return None: in training
    another sample is taken.
    """

    def prepare_data(self, idx: int) -> dict | None:
        """Read and process one sample; None: the pipeline leaves nothing of it.

        Raises:
            BadSample: If its image cannot be read.
        """
        return processed(self.get_data_info(idx), self.pipeline)

    def __getitem__(self, idx: int) -> dict:
        """One sample after the pipeline; in training a usable one stands in for one with a broken image.

        Raises:
            BadSample: In `test_mode`, if the image cannot be read.
            TooManyBadSamples: In training, if the share of bad samples is above the limit, or nothing is left of a thousand in a
                row.
            ValueError: If the pipeline leaves nothing of a sample in `test_mode`.
        """
        self.full_init()
        idx = range(len(self))[idx]
        if not self.test_mode:
            return self.guard.read(idx, len(self), self.prepare_data)
        sample = self.prepare_data(idx)
        if sample is None:
            raise ValueError(
                f'a step of the pipeline leaves nothing of {self.get_data_info(idx)["img_path"]} (it returns None, as crops and '
                'filters do): in evaluation each sample counts, take such steps out.'
            )
        return sample
