"""A loss that is no number stops the run and names its samples."""

import json

import pytest
import torch
from toy_training import POINTS, toy_config, toy_train

from florence.engine.hooks.finite_loss import sample_names
from florence.structures import ImageTextSample


@pytest.mark.parametrize(('at', 'saved'), [(3, None), (6, 'iter_4.pth')])
def test_the_run_stops_before_anything_is_saved(at, saved, tmp_path):
    hooks = {'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 2 if at == 6 else 3}}
    cfg = toy_config(tmp_path, model={'type': 'ToyNet', 'spoiled_at': at}, default_hooks=hooks)
    with pytest.raises(ValueError, match=rf'loss_toy is nan.* at iteration {at}; the 4') as told:
        toy_train(cfg)
    file = tmp_path / f'nonfinite_loss_iter_{at}_rank_0.json'
    message = str(told.value)
    assert f'the 4 samples of the batch are listed in {file}' in message
    assert (f'--resume: {tmp_path / saved} is from before' if saved else 'no checkpoint was saved yet') in message
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == (['iter_2.pth', 'iter_4.pth'] if saved else [])
    content = json.loads(file.read_text())
    assert content['iter'] == at and content['losses'] == {'loss': 'nan', 'loss_toy': 'nan'}
    assert len(set(content['samples'])) == 4
    assert set(content['samples']) <= {f'point {index}' for index in range(POINTS)}


def test_the_samples_are_those_of_the_batch(tmp_path):
    options = {'train_dataloader.sampler.shuffle': False}
    cfg = toy_config(tmp_path, model={'type': 'ToyNet', 'spoiled_at': 2}, options=options)
    with pytest.raises(ValueError, match='loss_toy is nan'):
        toy_train(cfg)
    content = json.loads((tmp_path / 'nonfinite_loss_iter_2_rank_0.json').read_text())
    assert content['samples'] == ['point 4', 'point 5', 'point 6', 'point 7']


def test_names_of_samples():
    samples = [
        ImageTextSample(metainfo={'sample_id': 'a', 'img_path': 'a.jpg'}),
        ImageTextSample(metainfo={'img_path': 'b.jpg', 'img_id': 7}),
        ImageTextSample(metainfo={'img_id': 0}),
        ImageTextSample(),
        {'filename': 'e.mp4'},
        torch.zeros(2),
    ]
    assert sample_names({'data_samples': samples}) == ['a', 'b.jpg', '0', '3', 'e.mp4', '5']
    assert sample_names([1, 2]) == sample_names({'inputs': 1}) == []
