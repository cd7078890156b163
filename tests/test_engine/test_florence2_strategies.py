"""Adapters and new tokens of Florence-2 on two gloo ranks: data parallel and every stage of ZeRO train them alike, and nothing
else."""

import json
from pathlib import Path

import pytest
import torch
from florence2_files import write_florence2
from ranks import run_ranks

from florence.models.florence2.lora import is_adapter

WORKER = Path(__file__).with_name('florence2_strategies_worker.py')
STRATEGIES = ('ddp', 'zero1', 'zero2', 'zero3')
TABLE = 'language_model.model.shared.weight'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = write_florence2(tmp_path_factory.mktemp('strategies'), weight_scale=1)
    run_ranks(WORKER, [str(folder), *STRATEGIES])
    return folder


def weights(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.mark.parametrize('name', STRATEGIES[1:])
def test_losses_and_weights_are_those_of_data_parallel(name, folder):
    losses, expected = (json.loads((folder / f'{each}.json').read_text()) for each in (name, 'ddp'))
    assert len(losses) == 3 and losses == pytest.approx(expected, rel=1e-4) and len(set(losses)) == 3
    found, expected = (weights(folder / each / 'iter_3.pth') for each in (name, 'ddp'))
    assert list(found) == list(expected)
    for key, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-4, msg=key)


@pytest.mark.parametrize('name', STRATEGIES)
def test_nothing_else_learns(name, folder):
    before, after = weights(folder / 'model.pth'), weights(folder / name / 'iter_3.pth')
    changed = set()
    for key, value in before.items():
        found = after.get(key, after.get(key.replace('.weight', '.base_layer.weight')))
        if key == TABLE:
            same = (found[: len(value)] == value).all(1)
            assert (~same).sum() == 1000, 'rows of locations, no others'
        elif value.is_floating_point() and not torch.equal(found, value):
            changed.add(key)
    assert not changed
    adapters = {key: value for key, value in after.items() if is_adapter(key)}
    assert adapters and all(value.abs().sum() > 0 for key, value in adapters.items())
