"""Videos for an inferencer: the pipeline of a config, and clips through it, with one sentence for what is wrong with a file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch import Tensor

from florence.datasets.bad_samples import BadSample


class ClipReader:
    """Reads videos as the tests of a config do.

    Args:
        config: Its `inference_pipeline` is taken, or else the pipeline of its test data.
        scope: Where names without a prefix are looked up, if the config does not say it.

    Raises:
        ValueError: If the config has no pipeline that opens videos.
    """

    def __init__(self, config: Config, scope: str) -> None:
        steps = config.get('inference_pipeline') or _test_pipeline(config)
        if not any('Decode' in str(step.get('type')) for step in steps):
            raise ValueError(
                'the test pipeline of this config decodes no video file: give the config an inference_pipeline that starts with '
                'OpenVideo, SampleClips and DecodeVideo.'
            )
        with DefaultScope.overwrite_default_scope(config.get('default_scope') or scope):
            self.pipeline = Compose([dict(step) for step in steps])

    def read(self, path: str | os.PathLike) -> dict[str, Any]:
        """`inputs` and `data_samples` of a video.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no readable video; names it.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f'no video file {str(path)!r}: check the path.')
        start = {'filename': str(path), 'sample_id': str(path), 'start_index': 0, 'modality': 'RGB'}
        try:
            return self.pipeline(start)
        except BadSample:
            raise  # names the file already
        # What a decoder raises about a file differs by decoder; PyAV's errors are some of these, too.
        except (ValueError, OSError, RuntimeError, IndexError, StopIteration) as error:
            raise ValueError(f'video {str(path)!r} cannot be read: {type(error).__name__} {error}') from error


def _test_pipeline(config: Config) -> Sequence[dict]:
    loader = config.get('test_dataloader') or config.get('val_dataloader') or {}
    dataset = loader.get('dataset') or {}
    return dataset.get('pipeline') or config.get('test_pipeline') or ()


def frames_of(inputs: Tensor, *, is_text: bool) -> np.ndarray:
    """Frames of the first view as the model saw them, `(T, H, W, 3)` uint8 RGB.

    Args:
        inputs: Of a sample. For `VideoTwoTower`: `(3, T, H, W)` or `(V, 3, T, H, W)`. For mmaction's recognisers:
            `(V, 3, T, H, W)`, or frames `(T, 3, H, W)`.
        is_text: Whether they are for `VideoTwoTower`.
    """
    if inputs.ndim == 4 and not is_text:
        return inputs.permute(0, 2, 3, 1).numpy()  # (T, 3, H, W) -> (T, H, W, 3)
    clip = inputs if inputs.ndim == 4 else inputs[0]
    return clip.permute(1, 2, 3, 0).numpy()  # (3, T, H, W) -> (T, H, W, 3)


def check_videos(paths: Sequence[str | os.PathLike]) -> None:
    """Refuse no video, or a single one that is not in a list.

    Raises:
        ValueError: If so.
    """
    if isinstance(paths, str | os.PathLike) or not paths:
        raise ValueError('videos are given as a list of one path or more.')
