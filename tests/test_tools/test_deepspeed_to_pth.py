"""Folders that deepspeed saved, put together: the weights of the run, under names that load everywhere."""

import os
import runpy
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import REPO_ROOT
from mmengine.registry import MODELS
from tiny_training import tiny_config

TOOL = REPO_ROOT / 'tools/model_converters/deepspeed_to_pth.py'
# In a process of its own: an engine leaves a process group behind.
TRAIN = """
import sys
from tiny_training import tiny_config, train
for stage in (2, 3):
    options = {'train_cfg.max_iters': 3, 'default_hooks.checkpoint.interval': 3}
    options['custom_hooks'] = [{'type': 'TrainTokenizerHook'}]
    cfg = tiny_config(f'{sys.argv[1]}/{stage}', {**options, 'strategy': {'type': 'DeepSpeedStrategy', 'stage': stage}})
    cfg.experiment_name = f'zero{stage}'
    train(cfg)
"""


def convert(source, target) -> None:
    runpy.run_path(str(TOOL))['main']([str(source), str(target)])


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Work dirs of two trainings, named by their ZeRO stage."""
    folder = tmp_path_factory.mktemp('runs')
    paths = {**os.environ, 'PYTHONPATH': f'{REPO_ROOT}:{REPO_ROOT / "tests"}', 'OMP_NUM_THREADS': '1'}
    result = subprocess.run([sys.executable, '-c', TRAIN, str(folder)], env=paths, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


@pytest.mark.parametrize('stage', [2, 3])
def test_the_file_holds_the_trained_weights_and_the_vocabulary(stage, runs, tmp_path):
    work_dir = runs / str(stage)
    convert(work_dir / 'iter_3.shards', tmp_path / 'weights.pth')
    found = torch.load(tmp_path / 'weights.pth', weights_only=True)['state_dict']
    expected = torch.load(work_dir / 'iter_3.pth', weights_only=False)['state_dict']
    assert set(found) == set(expected) and 'tokenizer._extra_state' in found
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)

    model = MODELS.build({**tiny_config(tmp_path).model, 'type': 'florence.TwoTower'})
    model.load_state_dict(found, strict=True)
    assert model.tokenizer.tokenizer.is_trained

    # As others save: tags in a folder with a file `latest`.
    other = tmp_path / 'other'
    shutil.copytree(work_dir / 'iter_3.shards', other / 'global_step3')
    (other / 'latest').write_text('global_step3\n')
    convert(other, tmp_path / 'again.pth')
    again = torch.load(tmp_path / 'again.pth', weights_only=True)['state_dict']
    assert set(again) == set(found) and all(torch.equal(again[name], found[name]) for name in found)


def test_a_source_that_is_no_folder_of_parts_is_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file.pth').write_bytes(b'x')
    for source, words in (('absent', 'no folder'), ('empty', 'no folder of sharded weights'), ('file.pth', 'is a file')):
        with pytest.raises(SystemExit, match=f'error: .*{words}'):
            convert(tmp_path / source, tmp_path / 'out.pth')
        assert not (tmp_path / 'out.pth').exists()
