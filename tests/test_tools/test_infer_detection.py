"""Detection and zero-shot detection from the command line, with a tiny model."""

import json
import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from test_cli import tool
from test_models.test_detectors.tiny_zero_shot import DETECTOR, NAMES, detector

SMALL = [dict(type='Resize', scale=(160, 128), keep_ratio=True), dict(type='PackDetInputs')]


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A config, a checkpoint and an image."""
    folder = tmp_path_factory.mktemp('zero_shot')
    model = {**DETECTOR, 'text_bank_dir': str(folder / 'bank'), 'classes': NAMES}
    Config(dict(default_scope='mmdet', model=model, test_pipeline=SMALL)).dump(folder / 'config.py')
    torch.manual_seed(0)
    torch.save(dict(state_dict=detector().state_dict(), meta=dict(dataset_meta=dict(classes=NAMES))), folder / 'weights.pth')
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(folder / 'image.png')
    return folder


def command(task, files, *arguments):
    common = ['--model', files / 'config.py', '--checkpoint', files / 'weights.pth']
    return [str(item) for item in ('tools/infer.py', task, *common, *arguments)]


def in_process(monkeypatch, repo_root, arguments):
    """The tool without the seconds that a process of its own takes to start."""
    monkeypatch.setattr(sys, 'argv', arguments)
    runpy.run_path(str(repo_root / 'tools/infer.py'), run_name='__main__')


def test_zero_shot_detection(files, tmp_path):
    options = ['--text', 'raccoon, kangaroo', '--score-thr', 0.1, '--out', tmp_path]
    done = tool(*command('zero-shot-detection', files, files / 'image.png', *options))
    (result,) = json.loads(done.stdout)  # nothing but results: messages go to standard error
    assert json.loads((tmp_path / 'results.json').read_text()) == [result]
    assert set(result['classes']) <= {'raccoon', 'kangaroo'} and len(result['boxes']) == len(result['scores']) > 0
    assert min(result['scores']) >= 0.1 and np.array(result['boxes']).max() <= 90
    assert result['scoring']['num_names'] == 2 and result['scoring']['background'] == []
    with Image.open(tmp_path / 'image.png') as picture:
        assert max(picture.size) == 320
    (bank,) = (files / 'bank').iterdir()
    assert torch.load(bank)['names'] == ['raccoon', 'kangaroo']


def test_detection_with_the_classes_of_the_checkpoint(files, monkeypatch, repo_root, capsys):
    in_process(monkeypatch, repo_root, command('detection', files, '--score-thr', 0.1, files / 'image.png'))
    output = capsys.readouterr().out
    (result,) = json.loads(output[output.index('[\n') :])
    assert result['classes'] and set(result['classes']) <= set(NAMES)


@pytest.mark.parametrize(
    ('task', 'arguments', 'message'),
    [
        ('zero-shot-detection', ['image.png', '--text', ' , '], 'at least one class'),
        ('zero-shot-detection', ['{}/image.png', '--text', 'a', '--templates', 'none'], "no template set named 'none'"),
        ('detection', ['missing.jpg'], 'cannot open image missing.jpg'),
    ],
)
def test_mistakes_get_one_sentence(files, monkeypatch, repo_root, task, arguments, message):
    with pytest.raises(SystemExit) as exited:
        in_process(monkeypatch, repo_root, command(task, files, *(str(item).format(files) for item in arguments)))
    assert exited.value.code.startswith('error: ') and message in exited.value.code and '\n' not in exited.value.code


@pytest.mark.parametrize(('task', 'missing'), [('retrieve', '--text'), ('segmentation', 'zero-shot-detection')])
def test_a_task_has_its_own_options(files, monkeypatch, repo_root, capsys, task, missing):
    with pytest.raises(SystemExit) as exited:
        in_process(monkeypatch, repo_root, command(task, files, 'image.png'))
    assert exited.value.code == 2 and missing in capsys.readouterr().err
