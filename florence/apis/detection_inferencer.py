"""Object detection on a user's own images, with any detector of a config."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from florence.apis.detection_inputs import DetectionInputs
from florence.apis.image_inputs import ImageSource, list_images, name_of, read_images
from florence.apis.model_loading import build_model, load_weights, usable_device
from florence.apis.readable_inputs import in_batches
from florence.atomic_files import atomic_path
from florence.engine.config_files import load_config
from florence.visualization import BoxSet, draw_boxes


class DetectionInferencer:
    """A detector on images.

    Args:
        config: Config, its path or name (`mmdet::NAME.py`), or the model itself.
        checkpoint: Weights; None leaves those of the model.
        device: Where the model runs.
        batch_size: Images at a time.
        classes: Names of the labels; None: those that the checkpoint or the config's test data name.

    Attributes:
        classes: Names of the labels; empty if nobody knows them.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or there is no such device.
    """

    def __init__(
        self,
        config: str | Config | nn.Module,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 1,
        classes: Sequence[str] | None = None,
    ) -> None:
        if isinstance(config, str):
            config = load_config(config)
        if batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, got {batch_size}.')
        device = usable_device(device)
        self.model = config if isinstance(config, nn.Module) else build_model(config)
        loaded = load_weights(self.model, checkpoint) if checkpoint is not None else {}
        self.model.to(device).eval()
        cfg = None if isinstance(config, nn.Module) else config
        self.inputs = DetectionInputs(cfg)
        self.classes = tuple(classes or _classes_of(loaded.get('meta') or {}, cfg))
        self.batch_size = batch_size

    @torch.no_grad()
    def __call__(
        self, images: ImageSource | Sequence[ImageSource], score_thr: float = 0.3, out_dir: str | os.PathLike | None = None
    ) -> list[dict[str, Any]]:
        """Detect objects.

        Args:
            images: Image files, `(H, W, 3)` uint8 RGB arrays or Pillow images, one or several. Those that cannot be read are left
                out and named in the log.
            score_thr: Detections of a lower score are left out.
            out_dir: Draw each image with its boxes there, as PNG.

        Returns:
            Per image that can be read `path` (`image-3` in memory), `width`, `height`, `boxes` (xyxy, pixels of the original
            image), `scores`, `labels`, `classes` (their names), best first; and `scoring` where the model tells how its scores
            came about.

        Raises:
            ValueError: If there is no image, none can be read, or one is too narrow for the network.
        """
        sources = list_images(images)
        names = [name_of(source, index) for index, source in enumerate(sources)]
        pictures = _picture_names(names)
        results = []
        for batch in in_batches(read_images(sources), self.batch_size):
            samples = self.model.test_step(self.inputs([array for _, array in batch], [names[index] for index, _ in batch]))
            for (index, array), sample in zip(batch, samples, strict=True):
                results.append(self._result(names[index], array, sample, score_thr))
                if out_dir is not None:
                    _draw(array, results[-1], Path(out_dir) / pictures[index], self.classes)
        return results

    def _result(self, path: str, image: np.ndarray, sample: Any, score_thr: float) -> dict[str, Any]:
        if 'pred_instances' not in sample:
            raise ValueError(f'detection needs a detector, a {type(self.model).__name__} gives no boxes.')
        found = sample.pred_instances
        found = found[found.scores >= score_thr]
        found = found[found.scores.argsort(descending=True, stable=True)]
        labels = found.labels.tolist()
        result = dict(
            path=path,
            width=image.shape[1],
            height=image.shape[0],
            boxes=getattr(found.bboxes, 'tensor', found.bboxes).tolist(),
            scores=found.scores.tolist(),
            labels=labels,
            classes=[self.classes[label] if label < len(self.classes) else f'class {label}' for label in labels],
        )
        return result | ({'scoring': sample.scoring} if 'scoring' in sample else {})


def _classes_of(meta: dict, config: Config | None) -> Sequence[str]:
    """Names of the labels as the training wrote them into the checkpoint, or as the config gives them."""
    dataset_meta = meta.get('dataset_meta') or {}
    names = dataset_meta.get('classes') or dataset_meta.get('CLASSES')
    if names is None and config is not None:
        loader = config.get('test_dataloader') or {}
        names = ((loader.get('dataset') or {}).get('metainfo') or {}).get('classes')
    return (names,) if isinstance(names, str) else names or ()


def _picture_names(names: Sequence[str]) -> list[str]:
    """A file name per image; images of one name in several folders get numbers."""
    # dicts keep their order
    taken: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for name in names:
        stem = picture = Path(name).stem
        while picture in taken:
            numbers[stem] += 1
            picture = f'{stem}-{numbers[stem] + 1}'
        taken[picture] = None
    return [f'{picture}.png' for picture in taken]


def _draw(image: np.ndarray, result: dict[str, Any], path: Path, classes: Sequence[str]) -> None:
    drawn = draw_boxes(image, BoxSet(result['boxes'], result['classes'], result['scores']), classes=classes)
    with atomic_path(path) as temporary:
        Image.fromarray(drawn).save(temporary)
