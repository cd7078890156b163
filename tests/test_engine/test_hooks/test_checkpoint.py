"""Checkpoints are written before old ones go, so that there is always one."""

import os

import pytest
from toy_training import BY_EPOCHS, hook_of, toy_config, toy_train

from florence.engine.hooks import CheckpointHook, checkpoint
from florence.engine.runner import StrategyRunner


def keeping(number, interval=2, **options):
    return {
        'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': interval, 'max_keep_ckpts': number, **options}
    }


def checkpoints(folder):
    return sorted(path.name for path in folder.glob('iter_*.pth'))


def test_the_last_ones_are_kept(tmp_path):
    runner, _ = toy_train(toy_config(tmp_path, default_hooks=keeping(2)))
    assert checkpoints(tmp_path) == ['iter_10.pth', 'iter_12.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_12.pth')
    assert runner.message_hub.get_info('keep_ckpt_ids') == [10, 12]


@pytest.mark.parametrize('number', [-1, 0])
def test_all_are_kept_unless_told_otherwise(number, tmp_path):
    toy_train(toy_config(tmp_path, default_hooks=keeping(number, interval=4)))
    assert checkpoints(tmp_path) == ['iter_12.pth', 'iter_4.pth', 'iter_8.pth']


class Killed(BaseException):
    pass


def test_with_one_to_keep_a_failed_save_leaves_the_one_before(tmp_path, monkeypatch):
    runner = StrategyRunner.from_cfg(toy_config(tmp_path, default_hooks=keeping(1)))
    save = runner.save_checkpoint

    def killed_at_the_third(folder, name, **kwargs):
        if name == 'iter_6.pth':
            raise Killed
        save(folder, name, **kwargs)

    monkeypatch.setattr(runner, 'save_checkpoint', killed_at_the_third)
    with pytest.raises(Killed):
        runner.train()
    assert checkpoints(tmp_path) == ['iter_4.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_4.pth')


@pytest.mark.parametrize('at', ['write_pointer', 'remove_checkpoint'])
def test_killed_between_save_and_removal_both_remain_and_the_next_run_clears_up(at, tmp_path, monkeypatch):
    done = getattr(checkpoint, at)

    def kill(*args):
        if any(str(path).endswith('iter_4.pth') for path in args):
            raise Killed
        done(*args)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, at, kill)
        with pytest.raises(Killed):
            toy_train(toy_config(tmp_path, default_hooks=keeping(1 if at == 'write_pointer' else 2)))
    assert 'iter_4.pth' in checkpoints(tmp_path) and len(checkpoints(tmp_path)) >= 2
    _, losses = toy_train(toy_config(tmp_path, default_hooks=keeping(1), resume=True))
    assert min(losses) == (5 if at == 'write_pointer' else 9)
    assert checkpoints(tmp_path) == ['iter_12.pth']


def test_leftovers_are_cleared_at_the_start(tmp_path):
    (tmp_path / '.iter_4-x1y2.pth').write_text('half')
    (tmp_path / 'iter_4.shards.partial').mkdir()
    toy_train(toy_config(tmp_path, default_hooks=keeping(1)))
    assert not (tmp_path / '.iter_4-x1y2.pth').exists() and not (tmp_path / 'iter_4.shards.partial').exists()


def test_a_resumed_run_goes_on_counting(tmp_path):
    toy_train(toy_config(tmp_path, default_hooks=keeping(2), train_cfg={'type': 'IterTrainLoop', 'max_iters': 4}))
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_4.pth']
    runner, _ = toy_train(toy_config(tmp_path, default_hooks=keeping(2), resume=True))
    assert checkpoints(tmp_path) == ['iter_10.pth', 'iter_12.pth']
    assert list(hook_of(runner, CheckpointHook).keep_ckpt_ids) == [10, 12]


def test_by_epochs_and_elsewhere(tmp_path):
    hooks = {'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'max_keep_ckpts': 1, 'out_dir': str(tmp_path / 'out')}}
    toy_train(toy_config(tmp_path / 'run', train_cfg=BY_EPOCHS, default_hooks=hooks))
    assert os.listdir(tmp_path / 'out' / 'run') == ['epoch_3.pth']
    assert (tmp_path / 'run' / 'last_checkpoint').read_text() == str(tmp_path / 'out' / 'run' / 'epoch_3.pth')
