"""A METER model of one task from its config and a checkpoint, ready for inference."""

import copy
import json
from pathlib import Path

import torch
from mmengine.config import Config

from florence.apis.model_loading import build_model, load_weights_if_given, require_file, usable_device
from florence.engine.strategies.read_checkpoint import read_checkpoint
from florence.models.vision_language import METERModel
from florence.tasks.answer_vocabulary import AnswerVocabulary

TASKS = {
    'CaptionHead': 'captioning',
    'PretrainHead': 'vision-language pretraining',
    'RankingHead': 'image-text retrieval',
    'SentenceHead': 'a sentence about images (entailment, reasoning)',
    'VQAHead': 'visual question answering',
}
_STORED_ANSWERS = 'head.answers._extra_state'


def load_meter(
    config: str | Config, checkpoint: str | None = None, device: str | torch.device = 'cpu', *, head: str | None = 'VQAHead'
) -> METERModel:
    """Build the model of a config and load its weights, all of them; the files that a training starts from are not needed.

    Args:
        config: Config or its path.
        checkpoint: File or URL of the weights; None leaves the random ones, which the log says.
        device: Where the model goes.
        head: Type of the head that the config must have, the task; None = any.

    Returns:
        The model in evaluation mode.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist, or the answers of a VQA model are in neither.
        ValueError: If the config has no METER model or one of another task, the checkpoint belongs to another model, tokenizer
            or answer vocabulary, or there is no such device.
    """
    config = read_meter_config(config)
    found = head_type(config)
    if head not in (None, found):
        raise ValueError(f'this config is for {_task(found)}, expected one for {_task(str(head))}: give another config.')
    device = usable_device(device)
    if checkpoint is not None:
        require_file(checkpoint)
        config = _with_answers(config, checkpoint)
    model = build_model(config, 'florence')
    assert isinstance(model, METERModel)
    load_weights_if_given(model, checkpoint)
    return model.to(device).eval()


def read_meter_config(config: str | Config) -> Config:
    """A config that has a METER model.

    Args:
        config: Config or its path.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another model or none.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'no config file {config!r}: give the path of a config in configs/meter/.')
        config = Config.fromfile(config)
    if 'model' not in config or str(config.model.get('type')).rpartition('.')[2] != 'METERModel':
        raise ValueError('this config has no model of type METERModel: give a config of configs/meter/.')
    return config


def head_type(config: Config) -> str:
    """Type of the head of a METER config, without a scope; it tells the task."""
    return str((config.model.get('head') or {}).get('type')).rpartition('.')[2]


def _task(head: str) -> str:
    return f'{TASKS[head]} ({head})' if head in TASKS else head


def _with_answers(config: Config, checkpoint: str) -> Config:
    """The config with the answers of the checkpoint, where the file of answers that it names is not here."""
    answers = config.model.head.get('answers')
    if not isinstance(answers, str) or Path(answers).is_file():
        return config
    stored = read_checkpoint(checkpoint)['state_dict'].get(_STORED_ANSWERS)
    if stored is None:
        raise FileNotFoundError(
            f'no answer vocabulary at {answers}, and checkpoint {checkpoint!r} holds none: it is no VQA model.'
        )
    config = copy.deepcopy(config)
    config.model.head.answers = list(AnswerVocabulary.from_state(json.loads(bytes(stored.tolist()))).answers)
    return config
