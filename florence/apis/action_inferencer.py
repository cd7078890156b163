"""What happens in a user's own videos: by a recogniser of mmaction's kind, or by class names through two towers."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from florence.apis.model_loading import build_model, load_weights_if_given, usable_device
from florence.apis.readable_inputs import warn
from florence.apis.two_tower_loading import load_two_tower
from florence.apis.video_inputs import MAX_ROWS, ClipReader, frames_of, say_left_out, strip_frames
from florence.engine.config_files import load_config
from florence.models.video import VideoTwoTower
from florence.visualization import ClassifiedClip, draw_film_strips


class ActionInferencer:
    """A model that classifies videos given by path; views are those of the tests of its config.

    Args:
        config: Config, or its path, of `Recognizer3D` or another recogniser of mmaction2, or of `VideoTwoTower`.
        checkpoint: Weights; None leaves random ones.
        device: Where the model runs.
        classes: Names of the classes. A recogniser's default: those that the training wrote into the checkpoint, or else numbers,
            which the log says; two towers need them.
        templates: Set of prompt templates for two towers; None = that of the config's pipeline, or 'simple'.

    Attributes:
        classes: Names of the classes, in the order of the scores.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, the config decodes no video, two towers have no class names, or a recogniser
            is given templates.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        *,
        classes: Sequence[str] | None = None,
        templates: str | None = None,
    ) -> None:
        config = read_video_config(config)
        self.templates, self.classes = templates, tuple(classes or ())
        self.is_text = model_kind(config) == 'VideoTwoTower'
        if self.is_text:
            if not self.classes:
                raise ValueError('two towers choose among class names: give them, by --text or --classes of tools/infer.py.')
            self.model = load_two_tower(config, checkpoint, device, kind='VideoTwoTower')
        else:
            if templates is not None:
                raise ValueError(f'templates {templates!r} are for two towers: a recogniser knows its classes by number.')
            self._load_recognizer(config, checkpoint, device)
        self.reader = ClipReader(config, 'florence' if self.is_text else 'mmaction')

    def _load_recognizer(self, config: Config, checkpoint: str | None, device: str | torch.device) -> None:
        device = usable_device(device)
        self.model = build_model(config, 'mmaction')
        loaded = load_weights_if_given(self.model, checkpoint)
        meta = (loaded.get('meta') or {}).get('dataset_meta') or {}
        self.classes = self.classes or tuple(meta.get('classes') or ())
        if not self.classes:
            warn('no class names are known, their numbers stand for them: give names, by --classes of tools/infer.py.')
        self.model.to(device).eval()

    @torch.no_grad()
    def __call__(
        self, paths: Sequence[str | os.PathLike], num_classes: int = 5, out_dir: str | os.PathLike | None = None
    ) -> list[dict[str, Any]]:
        """Classify videos.

        Args:
            paths: Video files. Those that cannot be read are left out and named in the log.
            num_classes: Classes of each result, at most.
            out_dir: Draw `actions.png` there: frames of each video with its classes, of `MAX_ROWS` videos at most.

        Returns:
            Per video that can be read `path`, `class` and `classes`, a list of `label` and `score`, its probability, best first.

        Raises:
            ValueError: If no video can be read, or there are not as many names as classes.
        """
        if num_classes < 1:
            raise ValueError(f'num_classes must be 1 or more, got {num_classes}.')
        results, shown = [], []
        for path, packed in self.reader.read_all(paths):
            probabilities = self._probabilities(packed)
            best, order = probabilities.topk(min(num_classes, len(probabilities)))
            labels = [self.classes[index] if self.classes else str(index) for index in order.tolist()]
            ranked = [{'label': label, 'score': score} for label, score in zip(labels, best.tolist(), strict=True)]
            results.append({'path': path, 'class': labels[0], 'classes': ranked})
            if out_dir is not None and len(shown) < MAX_ROWS:
                frames = strip_frames(frames_of(packed['inputs'], is_text=self.is_text))
                shown.append(ClassifiedClip(frames, labels, best.tolist(), text=Path(path).name))
        if out_dir is not None:
            draw_film_strips(shown, Path(out_dir) / 'actions.png')
            say_left_out(len(results), 'actions.png')
        return results

    def _probabilities(self, packed: dict[str, Any]) -> Tensor:
        """Of all classes, `(C,)` on the CPU."""
        sample = packed['data_samples']
        if isinstance(self.model, VideoTwoTower):
            own = {} if self.templates is None else {'templates': self.templates}
            sample.set_data({'classes': self.classes, **own})
        batch = {'inputs': [packed['inputs']], 'data_samples': [sample]}
        probabilities = class_probabilities(self.model, self.model.test_step(batch)[0])
        if self.classes and len(self.classes) != len(probabilities):
            raise ValueError(f'the model tells {len(probabilities)} classes, {len(self.classes)} names are given.')
        return probabilities


def class_probabilities(model: torch.nn.Module, sample: Any) -> Tensor:
    """Probabilities of all classes, `(C,)` on the CPU: mean over views, where a recogniser of mmaction leaves these apart.

    Args:
        model: The model.
        sample: What its `test_step` gave of a video.
    """
    if 'pred_scores' in sample:
        return sample.pred_scores.float().cpu().softmax(0)
    scores = sample.pred_score.float().cpu()
    average = getattr(getattr(model, 'cls_head', None), 'average_clips', None)
    if average == 'prob':
        return scores
    return scores.softmax(-1).reshape(-1, scores.shape[-1]).mean(0)  # (C,) or (V, C) -> (C,)


def read_video_config(config: str | Config) -> Config:
    """The config, from its file where a path is given.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the config has no model.
    """
    if not isinstance(config, Config):
        config = load_config(config)
    if 'model' not in config:
        raise ValueError('this config has no model: give one of configs/video_coswin/ or of mmaction2.')
    return config


def model_kind(config: Config) -> str:
    """Type of a config's model, without its scope."""
    return str(config.model.get('type')).rpartition('.')[2]
