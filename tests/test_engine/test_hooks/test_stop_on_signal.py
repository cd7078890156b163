"""SIGTERM and Ctrl-C: a checkpoint, exit status 143 or 130, and the handler that was there before."""

import signal
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from toy_training import hook_of, toy_config, toy_train, toy_train_until_stopped

from florence.engine.hooks import StopOnSignalHook
from florence.engine.hooks import stop_on_signal as module
from florence.engine.runner import StrategyRunner


@pytest.fixture
def own_handler():
    """A handler that a caller has set."""

    def handler(number, frame):
        raise AssertionError('not reached')

    before = signal.signal(signal.SIGTERM, handler)
    yield handler
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def default_key():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_the_run_is_saved_and_ends_with_128_more(number, tmp_path, own_handler, default_key):
    runner, losses = toy_train_until_stopped(toy_config(tmp_path, stop_at=6, stop_signal=number))  # asserts the status
    assert list(losses) == list(range(1, 7))
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_4.pth', 'iter_6.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_6.pth')
    assert torch.load(tmp_path / 'iter_6.pth', weights_only=False)['meta']['iter'] == 6
    assert signal.getsignal(signal.SIGTERM) is own_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_the_periodic_save_has_just_written_is_not_written_twice(tmp_path, monkeypatch):
    saves = []
    save = StrategyRunner.save_checkpoint
    monkeypatch.setattr(StrategyRunner, 'save_checkpoint', lambda *args, **kwargs: (saves.append(args[2]), save(*args, **kwargs)))
    toy_train_until_stopped(toy_config(tmp_path, stop_at=4))
    assert saves == ['iter_4.pth']


def test_a_file_of_an_earlier_run_is_replaced(tmp_path):
    toy_train(toy_config(tmp_path, options={'default_hooks.checkpoint.interval': 1}))
    other = {'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.5}}}
    runner, _ = toy_train_until_stopped(toy_config(tmp_path, stop_at=6, **other))
    saved = torch.load(tmp_path / 'iter_6.pth', weights_only=False)['state_dict']
    assert torch.equal(saved['head.weight'], runner.model.head.weight)


def test_the_handler_is_given_back_after_a_whole_run(tmp_path, own_handler):
    runner, _ = toy_train(toy_config(tmp_path))
    assert signal.getsignal(signal.SIGTERM) is own_handler
    assert hook_of(runner, StopOnSignalHook).received == 0


def test_a_forked_worker_ends_at_once(monkeypatch):
    hook, ended = StopOnSignalHook(), []
    hook._owner = -1
    monkeypatch.setattr(module.os, '_exit', ended.append)
    hook._note(signal.SIGINT, None)
    assert not ended, 'its owner saves first'
    hook._note(signal.SIGTERM, None)
    assert ended == [143]


def test_a_second_key_press_ends_at_once_but_a_launcher_repeats_the_first(monkeypatch, capfd):
    hook, now = StopOnSignalHook(), [100.0]
    hook._owner = module.os.getpid()
    monkeypatch.setattr(hook, '_is_training', lambda frame: True)
    monkeypatch.setattr(module.time, 'monotonic', lambda: now[0])
    for later in (0.0, 0.1):
        now[0] += later
        hook._note(signal.SIGINT, None)
    hook._note(signal.SIGTERM, None)
    assert capfd.readouterr().err.count('again ends at once') == 1
    now[0] += 2
    with pytest.raises(KeyboardInterrupt):
        hook._note(signal.SIGINT, None)


def test_after_a_training_that_an_error_ended_signals_are_what_they_were(tmp_path, default_key):
    class Failure(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            raise RuntimeError('of the user')

    runner = StrategyRunner.from_cfg(toy_config(tmp_path))
    runner.register_hook(Failure())
    with pytest.raises(RuntimeError, match='of the user'):
        runner.train()
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        module.os.kill(module.os.getpid(), signal.SIGINT)
        time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ranks_agree_at_their_interval_only(monkeypatch):
    """A signal that came to another rank stops this one too, where both ask."""
    asked = []

    def other_rank_was_told(number, op):
        asked.append(op)
        number.fill_(int(signal.SIGTERM))

    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    monkeypatch.setattr(module, 'all_reduce', other_rank_was_told)
    hook = StopOnSignalHook(agree_interval=5)
    assert [hook._agreed(SimpleNamespace(iter=number)) for number in range(6)] == [0, 0, 0, 0, signal.SIGTERM, 0]
    assert asked == ['max']


def test_no_signal_saves_nothing(tmp_path):
    hook = StopOnSignalHook()
    runner = SimpleNamespace(iter=0, work_dir=str(tmp_path), message_hub=MessageHub.get_instance('no_signal'))
    hook.after_train_iter(runner, 0)
    assert list(tmp_path.iterdir()) == []
