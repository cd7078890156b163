"""Videos for an inferencer: the pipeline of a config, and clips through it, with one sentence for what is wrong with a file."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch import Tensor

from florence.apis.config_pipeline import pipeline_of_tests
from florence.apis.readable_inputs import read_each, warn
from florence.datasets.bad_samples import BadSample
from florence.visualization.film_strips import NUM_FRAMES, pick_frames

MAX_ROWS = 50
"""Videos or texts on one picture: of more, no viewer opens it."""


class ClipReader:
    """Reads videos as the tests of a config do.

    Args:
        config: Its `inference_pipeline` is taken, or else the pipeline of its test data.
        scope: Where names without a prefix are looked up, if the config does not say it.

    Raises:
        ValueError: If the config has no pipeline that opens videos.
    """

    def __init__(self, config: Config, scope: str) -> None:
        steps = config.get('inference_pipeline') or pipeline_of_tests(config) or ()
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
        # Each decoder has errors of its own about a file; decord's and OpenCV's classes are derived from Exception alone.
        except Exception as error:
            reason = str(error).strip().partition('\n')[0]
            raise ValueError(f'video {str(path)!r} cannot be read: {type(error).__name__} {reason}'.rstrip()) from error

    def read_all(self, paths: Sequence[str | os.PathLike]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Path and `read` of each video that can be read; the log names the others after the last one.

        Raises:
            ValueError: If no video can be read, or none is given.
        """
        if isinstance(paths, str | os.PathLike) or not paths:
            raise ValueError('videos are given as a list of one path or more.')
        for index, packed in read_each(paths, self.read, 'video'):
            yield str(paths[index]), packed


class LazyPictures(Sequence):
    """Pictures that are made when they are looked at, once: all those of a large set would not fit into memory.

    Args:
        make: Picture of an index.
        length: How many there are.
    """

    def __init__(self, make: Callable[[int], np.ndarray], length: int) -> None:
        self.make, self.length = cache(make), length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index):  # type: ignore[override]
        return self.make(index)


def say_left_out(total: int, picture: str) -> None:
    """Log that a picture shows `MAX_ROWS` of more rows."""
    if total > MAX_ROWS:
        warn(f'{picture} shows the first {MAX_ROWS} of {total}.')


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


def strip_frames(frames: np.ndarray) -> np.ndarray:
    """The frames that a film strip shows, as a copy: a view would keep those of all views of the video in memory.

    Args:
        frames: `(T, H, W, 3)`.
    """
    return np.stack(pick_frames(frames, NUM_FRAMES))
