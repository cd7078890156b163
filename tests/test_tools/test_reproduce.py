"""The reproduction of twins: what a twin starts from is trained first, once."""

import importlib.util

import pytest
from conftest import REPO_ROOT


@pytest.fixture
def reproduce():
    spec = importlib.util.spec_from_file_location('reproduce', REPO_ROOT / 'tools/misc/reproduce.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_twin_starts_from_a_twin(reproduce):
    twins = {twin['Name']: twin for twin in reproduce.twins('all')}
    starts = [start['From'] for twin in twins.values() for start in twin['Reproduce'].get('Start', [])]
    assert starts and set(starts) <= set(twins)
    assert all((REPO_ROOT / twin['Config']).is_file() for twin in twins.values())


def test_a_start_is_trained_once_and_named_to_the_training(reproduce, tmp_path, monkeypatch):
    trained = []

    def train(model, work_dir):
        trained.append(model['Name'])
        work_dir.mkdir()
        (work_dir / 'last_checkpoint').write_text(f'{work_dir}/iter_7.pth\n')

    monkeypatch.setattr(reproduce, 'twins', lambda family: [dict(Name='base')])
    monkeypatch.setattr(reproduce, 'train_and_test', train)
    model = dict(Name='next', Reproduce=dict(Start=[dict(From='base', Option='model.init_cfg.checkpoint')]))
    expected = ['--cfg-options', f'model.init_cfg.checkpoint={tmp_path}/base/iter_7.pth']
    assert reproduce.start_options(model, tmp_path) == expected
    assert reproduce.start_options(model, tmp_path) == expected
    assert trained == ['base']
    assert reproduce.start_options(dict(Name='base', Reproduce={}), tmp_path) == []


def test_figures_that_fall_short_are_told(reproduce):
    model = dict(Reproduce={'At least': {'a': 0.5, 'b': 0.5, 'c': 0.1}})
    rows = reproduce.compare(model, dict(a=0.6, b=0.4))
    assert [row['holds'] for row in rows] == [True, False, False]
