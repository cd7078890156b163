"""Config and checkpoint of a tiny METER model on disk, with digit scenes as its test set."""

from pathlib import Path

import torch
from mmengine.config import Config
from tiny_meter import encoder_config, tiny_meter

from florence.datasets.digit_scenes import DigitSceneVQA
from florence.datasets.digit_scenes.questions import ANSWERS

RECIPE = dict(image_size=32, num_objects_probs=(0.3, 0.4, 0.3))
NUM_SCENES = 60


def vqa_dataset(**options) -> dict:
    """Config of the test set."""
    pipeline = [dict(type='PackImageText')]
    return dict(type='DigitSceneVQA', num_scenes=NUM_SCENES, split='test', recipe=RECIPE, pipeline=pipeline, **options)


def write_meter(folder: Path, head: dict | None = None, **config) -> tuple[Path, Path]:
    """Write `config.py` and `weights.pth`; the training started from files that are gone."""
    head = head or dict(type='VQAHead', answers=list(ANSWERS))
    model = tiny_meter(head)
    dataset = DigitSceneVQA(NUM_SCENES, split='test', recipe=RECIPE)
    model.tokenizer.tokenizer.load_state({**model.tokenizer.tokenizer.state(), 'bpe': None})
    model.tokenizer.tokenizer.train(dataset.captions())
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'weights.pth')
    encoder = encoder_config()
    encoder['image_tower']['init_cfg'] = dict(type='Pretrained', checkpoint='gone.pth', prefix='image_tower')
    loader = dict(batch_size=16, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True), dataset=vqa_dataset())
    content = dict(
        default_scope='florence',
        image_size=32,
        model=dict(type='METERModel', encoder=encoder, head=head),
        test_dataloader=loader,
        test_evaluator=dict(type='VQAAccuracy'),
    )
    Config({**content, **config}).dump(folder / 'config.py')
    return folder / 'config.py', folder / 'weights.pth'
