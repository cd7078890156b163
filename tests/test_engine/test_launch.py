"""From a config to a runner: mixed precision, where to start from, which runner."""

import pytest
from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner
from toy_training import toy_config

from florence.engine import launch
from florence.engine.launch import build_runner, default_work_dir, end_rank, prepare_distributed, use_amp, use_checkpoint
from florence.engine.runner import StrategyRunner


def wrapped(**wrapper):
    cfg = Config({'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}, **wrapper}})
    return cfg


@pytest.mark.parametrize(
    ('wrapper', 'dtype', 'expected'),
    [
        ({}, None, 'bfloat16'),
        ({'type': 'OptimWrapper'}, None, 'bfloat16'),
        ({'type': 'mmengine.OptimWrapper'}, 'float16', 'float16'),
        ({'type': 'AmpOptimWrapper', 'dtype': 'float16'}, None, 'float16'),
        ({'type': 'AmpOptimWrapper', 'dtype': 'float16'}, 'bfloat16', 'bfloat16'),
        ({'type': 'florence.AmpOptimWrapper'}, None, 'bfloat16'),
    ],
)
def test_mixed_precision_by_a_flag(wrapper, dtype, expected):
    cfg = wrapped(**wrapper, clip_grad={'max_norm': 1.0})
    use_amp(cfg, dtype)
    assert cfg.optim_wrapper == {
        'type': 'florence.AmpOptimWrapper',
        'dtype': expected,
        'clip_grad': {'max_norm': 1.0},
        'optimizer': {'type': 'SGD', 'lr': 0.1},
    }


@pytest.mark.parametrize('kind', ['ApexOptimWrapper', 'OptimWrapperDict'])
def test_another_wrapper_has_no_such_form(kind):
    with pytest.raises(ValueError, match=f"--amp replaces .* this config has '{kind}'"):
        use_amp(wrapped(type=kind))


def start(folder, *, resume=None, load_from=None, **entries):
    cfg = Config({'work_dir': str(folder), 'load_from': 'phase1.pth', 'resume': False, **entries})
    use_checkpoint(cfg, resume, load_from)
    return cfg.resume, cfg.load_from


def test_where_a_training_starts_from(tmp_path):
    assert start(tmp_path) == (False, 'phase1.pth')
    assert start(tmp_path, load_from='other.pth') == (False, 'other.pth')
    assert start(tmp_path, resume='iter_3.pth') == (True, 'iter_3.pth')
    assert start(tmp_path, resume='auto') == ('auto', 'phase1.pth')
    assert start(tmp_path, resume='auto', load_from='other.pth') == ('auto', 'other.pth')
    with pytest.raises(ValueError, match='--resume a.pth and --load-from b.pth both name a checkpoint'):
        start(tmp_path, resume='a.pth', load_from='b.pth')


def test_mmengine_s_runners_are_told_the_one_or_the_other(tmp_path):
    assert start(tmp_path, resume='auto', runner_type='Runner') == (False, 'phase1.pth')
    (tmp_path / 'iter_3.pth').touch()
    assert start(tmp_path, resume='auto', runner_type='Runner') == (True, None)
    assert start(tmp_path, resume='auto') == ('auto', 'phase1.pth')


@pytest.mark.parametrize(
    ('runner_type', 'kind'),
    [(None, StrategyRunner), ('Runner', Runner), ('FlexibleRunner', FlexibleRunner), ('florence.StrategyRunner', StrategyRunner)],
)
def test_the_runner_of_a_config(runner_type, kind, tmp_path):
    entries = {} if runner_type is None else {'runner_type': runner_type}
    hooks = {} if kind is StrategyRunner else {'default_hooks': {}, 'custom_hooks': []}
    cfg = toy_config(tmp_path, **entries, **hooks)
    assert type(build_runner(cfg)) is kind


def test_the_work_dir_is_named_after_the_config():
    assert default_work_dir('configs/unicl/name.py') == 'work_dirs/name'
    assert default_work_dir('mmdet::retinanet/name.py') == 'work_dirs/name'


def test_the_launcher_is_noted(monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    cfg = Config({})
    prepare_distributed(cfg, 'none')
    assert cfg.launcher == 'none' and 'env_cfg' not in cfg
    monkeypatch.setattr('torch.accelerator.is_available', lambda: False)
    cfg = Config({'env_cfg': {'cudnn_benchmark': True, 'dist_cfg': {'backend': 'nccl'}}})
    prepare_distributed(cfg, 'pytorch')
    assert cfg.launcher == 'pytorch' and cfg.env_cfg == {'cudnn_benchmark': True, 'dist_cfg': {'backend': 'gloo'}}
    monkeypatch.delenv('LOCAL_RANK', raising=False)


@pytest.mark.parametrize(('ranks', 'expected'), [(1, []), (2, ['leave', 0])])
def test_ranks_leave_without_taking_python_down(ranks, expected, monkeypatch):
    done = []
    monkeypatch.setattr(launch, 'get_world_size', lambda: ranks)
    monkeypatch.setattr(launch.atexit, '_run_exitfuncs', lambda: done.append('leave'))
    monkeypatch.setattr(launch.os, '_exit', done.append)
    end_rank()
    assert done == expected
