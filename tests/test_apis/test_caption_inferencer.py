"""Training of a tiny caption model, resumed, then captions of image files by the API and the command line."""

import json
import runpy
import sys

import numpy as np
import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from PIL import Image

from florence.apis import CaptionInferencer
from florence.datasets.digit_scenes import DigitSceneCaptions
from florence.engine.config_files import load_config
from florence.engine.launch import prepare_distributed
from florence.engine.runner import StrategyRunner

CONFIG = str(REPO_ROOT / 'tests/configs/tiny_captioner.py')


def train(work_dir, **options):
    cfg = load_config(CONFIG, {'log_level': 'WARNING', **options})
    prepare_distributed(cfg, 'none')
    cfg.work_dir = str(work_dir)
    StrategyRunner.from_cfg(cfg).train()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Work dir of a four-iteration training."""
    work_dir = tmp_path_factory.mktemp('captioner')
    train(work_dir)
    return work_dir


@pytest.fixture
def paths(tmp_path):
    scenes = DigitSceneCaptions(3, split='test', recipe=dict(image_size=32, num_objects_probs=(1.0,)))
    for index in range(3):
        Image.fromarray(scenes[index]['img']).save(tmp_path / f'{index}.png')
    return [str(tmp_path / f'{index}.png') for index in range(3)]


def test_a_further_training_goes_on_from_the_trained_decoder(trained, tmp_path):
    changes = {'train_cfg.max_iters': 5, 'default_hooks.checkpoint.interval': 1, 'optim_wrapper.optimizer.lr': 0.0}
    train(tmp_path, load_from=str(trained / 'iter_4.pth'), **changes)
    files = (trained / 'iter_4.pth', tmp_path / 'iter_5.pth')
    before, after = (torch.load(path, weights_only=False)['state_dict'] for path in files)
    names = [name for name in before if name.startswith('head.decoder.layers')]
    assert names and all(torch.equal(before[name], after[name]) for name in names)
    twin = 'encoder.fusion.text_layers.0.mlp.fc1.weight'
    assert not torch.equal(after['head.decoder.layers.0.mlp.fc1.weight'], after[twin]), 'training has moved them apart'


def test_captions_of_files_are_those_of_the_model(trained, paths, tmp_path):
    inferencer = CaptionInferencer(CONFIG, str(trained / 'iter_4.pth'), batch_size=2)
    results = inferencer(paths, tmp_path / 'out')
    assert [result['path'] for result in results] == paths
    for path, result in zip(paths, results, strict=True):
        image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
        inputs = inferencer.model.data_preprocessor({'inputs': [image]})['inputs']
        (hypothesis,) = inferencer.model.head.generate(inferencer.model.encoder, inputs)
        assert result['caption'] == inferencer.model.tokenizer.tokenizer.decode(hypothesis.tokens)
        assert result['score'] == pytest.approx(hypothesis.score, abs=1e-5) and result['score'] < 0
    with Image.open(tmp_path / 'out/captions.png') as sheet:
        assert min(sheet.size) > 100


def test_the_command_line_gives_the_same(trained, paths, tmp_path, monkeypatch):
    checkpoint = str(trained / 'iter_4.pth')
    arguments = ['caption', *paths, '--model', CONFIG, '--checkpoint', checkpoint, '--out', str(tmp_path / 'out')]
    monkeypatch.setattr(sys, 'argv', ['tools/infer.py', *arguments])
    runpy.run_path(str(REPO_ROOT / 'tools/infer.py'), run_name='__main__')
    results = json.loads((tmp_path / 'out/results.json').read_text())
    assert results == CaptionInferencer(CONFIG, checkpoint)(paths)
    assert (tmp_path / 'out/captions.png').is_file()


def test_what_a_user_can_get_wrong(trained, paths):
    config = Config.fromfile(CONFIG)
    config.model.head = dict(type='VQAHead', answers=['yes', 'no'])
    with pytest.raises(ValueError, match='captioning'):
        CaptionInferencer(config)
    with pytest.raises(FileNotFoundError, match='no config file'):
        CaptionInferencer('none.py')
    inferencer = CaptionInferencer(CONFIG, str(trained / 'iter_4.pth'))
    with pytest.raises(ValueError, match='one image or more, got none'):
        inferencer([])
    with pytest.raises(ValueError, match='none.png'):
        inferencer(['none.png'])
    with pytest.raises(ValueError, match='no vocabulary yet'):
        CaptionInferencer(CONFIG)(paths)
