"""Zero-shot object detection on a user's own images: classes are named in the call."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config

from florence.apis.detection_inferencer import DetectionInferencer
from florence.apis.image_inputs import ImageSource
from florence.models.detectors import ZeroShotDetector


class ZeroShotDetectionInferencer:
    """A zero-shot detector on images given by path or as arrays.

    Args:
        config: Config of a model of type `ZeroShotDetector`, its path, or the model itself.
        checkpoint: Weights; None leaves those of the model.
        device: Where the model runs.
        batch_size: Images at a time.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or the model is another one.
    """

    def __init__(
        self,
        config: str | Config | ZeroShotDetector,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 1,
    ) -> None:
        self.detector = DetectionInferencer(config, checkpoint, device, batch_size)
        if not isinstance(self.detector.model, ZeroShotDetector):
            raise ValueError(
                f'zero-shot detection needs a model of type ZeroShotDetector, this one is {type(self.detector.model).__name__}: '
                'use DetectionInferencer for it.'
            )
        self.model: ZeroShotDetector = self.detector.model

    def __call__(
        self,
        images: ImageSource | Sequence[ImageSource],
        classes: Sequence[str],
        *,
        templates: str | None = None,
        name_overrides: Mapping[str, str] | None = None,
        background_names: str | Sequence[str] | None = None,
        score_thr: float = 0.3,
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict[str, Any]]:
        """Detect objects of some classes.

        Args:
            images: As of `DetectionInferencer`.
            classes: What to look for; a name that comes twice counts once.
            templates, name_overrides, background_names: See `ZeroShotDetector.set_classes`.
            score_thr: Detections of a lower score are left out.
            out_dir: Draw each image with its boxes there, as PNG.

        Returns:
            As `DetectionInferencer`, with `scoring` for how the scores came about.

        Raises:
            ValueError: If there is no class or no image, none can be read, or one is too narrow for the network.
        """
        distinct = classes if isinstance(classes, str) else list(dict.fromkeys(classes))
        self.model.set_classes(distinct, templates, name_overrides=name_overrides, background_names=background_names)
        self.detector.classes = tuple(distinct)
        return self.detector(images, score_thr, out_dir)
