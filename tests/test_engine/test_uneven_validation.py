"""Validation whose steps differ from rank to rank: ZeRO 3 evaluates, saves the best and trains on as data parallel does."""

import json
from pathlib import Path

import pytest
import torch
from ranks import run_ranks

WORKER = Path(__file__).with_name('uneven_validation_worker.py')
STRATEGIES = ('ddp', 'zero2', 'zero3')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('uneven')
    run_ranks(WORKER, [str(folder), *STRATEGIES], timeout=240)
    return folder


def noted(folder, name):
    return json.loads((folder / f'{name}.json').read_text())


@pytest.mark.parametrize('name', STRATEGIES[1:])
def test_losses_and_metrics_are_those_of_data_parallel(name, folder):
    found, expected = noted(folder, name), noted(folder, 'ddp')
    assert len(found['losses']) == 6 and found['losses'] == pytest.approx(expected['losses'], rel=1e-4)
    assert [metrics['samples'] for metrics in found['metrics']] == [5, 5, 5]
    means, expected = ([metrics['mean'] for metrics in each['metrics']] for each in (found, expected))
    assert means == pytest.approx(expected, rel=1e-3) and means[0] != pytest.approx(means[1], rel=1e-3)


@pytest.mark.parametrize('name', STRATEGIES[1:])
def test_the_best_weights_are_those_of_data_parallel(name, folder):
    (found,), (expected,) = ((folder / each).glob('best_mean_iter_*.pth') for each in (name, 'ddp'))
    assert found.name == expected.name
    found, expected = (torch.load(path, weights_only=False) for path in (found, expected))
    for part in ('state_dict', 'ema_state_dict'):
        for key, value in expected[part].items():
            torch.testing.assert_close(found[part][key], value, rtol=1e-3, atol=2e-5, msg=f'{part} {key}')
