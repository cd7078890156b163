"""Config, checkpoint and pictures of a Florence-2 on disk."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from florence.datasets.digit_scenes import DigitSceneRecords
from florence.registry import MODELS

CONFIG = 'configs/florence2/florence2-nano_14min_digits.py'
SCENES = dict(num_scenes=3, split='train', recipe=dict(image_size=64))


def write_florence2(folder: Path, *, weight_scale: float = 8, **config) -> Path:
    """Write `config.py`, `model.pth` with a vocabulary, and pictures `0.png` to `2.png`, the last one wide."""
    settings = Config.fromfile(CONFIG)
    settings.merge_from_dict(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('florence'):
        model = MODELS.build(settings.model)
    scenes = DigitSceneRecords(**SCENES)
    model.tokenizer.tokenizer.train(list(scenes.captions()))
    for parameter in model.language_model.parameters():
        parameter.data.mul_(weight_scale)  # so that answers are not all alike
    torch.save({'state_dict': model.state_dict()}, folder / 'model.pth')
    for number in range(len(scenes)):
        picture = Image.fromarray(scenes[number]['img'])
        picture.resize((640, 480) if number == 2 else (64, 64)).save(folder / f'{number}.png')
    settings.model.search.max_new_tokens = 12
    settings.image_size = 64  # of the pictures
    settings.dump(folder / 'config.py')
    return folder
