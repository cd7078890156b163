"""A run that was stopped goes on as if it had not been: the same losses, states and random draws."""

import copy
import os

import pytest
import torch
from toy_training import BY_EPOCHS, BY_ITERATIONS, VALIDATED, ToyLosses, hook_of, toy_config, toy_train, toy_train_until_stopped

from florence.engine.hooks import EMAHook
from florence.engine.runner import StrategyRunner

FP16 = {'type': 'AmpOptimWrapper', 'dtype': 'float16', 'loss_scale': {'init_scale': 256.0, 'growth_interval': 5}}
WITH_EMA = [{'type': 'ToyLosses'}, {'type': 'EMAHook', 'momentum': 0.3}]


@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize(('train_cfg', 'iterations', 'stop_at'), [(BY_ITERATIONS, 12, 9), (BY_EPOCHS, 18, 9), (BY_EPOCHS, 18, 6)])
def test_a_stopped_run_goes_on_exactly(train_cfg, iterations, stop_at, num_workers, tmp_path):
    # Six batches make an epoch: 9 lies in the middle of the second, 6 at the end of the first.
    setting = {'train_cfg': train_cfg, 'options': {'train_dataloader.num_workers': num_workers}}
    _, whole = toy_train(toy_config(tmp_path / 'whole', **setting))
    _, before = toy_train_until_stopped(toy_config(tmp_path / 'run', stop_at=stop_at, **setting))
    runner, after = toy_train(toy_config(tmp_path / 'run', resume=True, **setting))
    assert list(whole) == list(range(1, iterations + 1))
    assert list(before) == list(range(1, stop_at + 1)) and list(after) == list(range(stop_at + 1, iterations + 1))
    assert {**before, **after} == whole
    assert len(set(whole.values())) == iterations
    if train_cfg is BY_EPOCHS:
        assert runner.epoch == 3
        assert list(hook_of(runner, ToyLosses).batch_idx.values()) == [number % 6 for number in range(stop_at, 18)]


def test_a_run_by_epochs_goes_on_from_its_own_checkpoint(tmp_path):
    by_epoch = {'train_cfg': BY_EPOCHS, 'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'interval': 1}}}
    _, whole = toy_train(toy_config(tmp_path, **by_epoch))
    assert {'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'} <= set(os.listdir(tmp_path))
    runner, after = toy_train(toy_config(tmp_path, **by_epoch, load_from=str(tmp_path / 'epoch_2.pth'), resume=True))
    assert after == {iteration: whole[iteration] for iteration in range(13, 19)}
    assert (runner.epoch, runner.iter) == (3, 18)


def test_validation_does_not_change_the_training(tmp_path):
    _, without = toy_train(toy_config(tmp_path / 'without'))
    options = {'train_cfg': {**BY_ITERATIONS, 'val_interval': 3}, **VALIDATED}
    runner, with_it = toy_train(toy_config(tmp_path / 'with', **options))
    assert with_it == without
    assert 0 <= runner.message_hub.get_scalar('val/hits').current() <= 1
    assert len(runner.message_hub.get_scalar('val/hits').data[0]) == 4


@pytest.fixture(scope='module')
def fp16_with_average(tmp_path_factory):
    """An uninterrupted run and one that was stopped after the seventh of twelve iterations."""
    folder = tmp_path_factory.mktemp('fp16')
    setting = {'custom_hooks': WITH_EMA, 'optim_wrapper': {**FP16, 'optimizer': {'type': 'AdamW', 'lr': 0.01}}}
    stopped = {**setting, 'custom_hooks': [{'type': 'ToyLosses', 'stop_at': 7}, WITH_EMA[1]]}
    runner, whole = toy_train(toy_config(folder / 'whole', **setting))
    first, _ = toy_train_until_stopped(toy_config(folder / 'run', **stopped))
    second, after = toy_train(toy_config(folder / 'run', resume=True, **setting))
    return {'whole': (runner, whole), 'first': first, 'second': (second, after), 'folder': folder}


def test_average_and_loss_scale_survive(fp16_with_average):
    (whole, losses), (second, after) = fp16_with_average['whole'], fp16_with_average['second']
    assert after == {iteration: losses[iteration] for iteration in range(8, 13)}
    for found, expected in zip(hook_of(second, EMAHook)._average, hook_of(whole, EMAHook)._average, strict=True):
        assert torch.equal(found, expected)
    average = dict(zip([name for name, _ in whole.model.named_parameters()], hook_of(whole, EMAHook)._average, strict=True))
    assert not torch.equal(average['head.weight'], whole.model.head.weight), 'the average is no copy of the weights'
    assert second.optim_wrapper.scaler.state_dict() == whole.optim_wrapper.scaler.state_dict()
    # Twelve steps, the scale grew after the fifth and the tenth.
    assert whole.optim_wrapper.scaler.get_scale() == 1024
    assert whole.optim_wrapper.scaler.state_dict()['_growth_tracker'] == 2


def test_the_checkpoint_holds_average_and_weights(fp16_with_average):
    folder, first = fp16_with_average['folder'], fp16_with_average['first']
    saved = torch.load(folder / 'run' / 'iter_7.pth', weights_only=False)
    for name, value in first.model.state_dict().items():
        assert torch.equal(saved['ema_state_dict'][name], value)
    names = [name for name, _ in first.model.named_parameters()]
    for name, value in zip(names, hook_of(first, EMAHook)._average, strict=True):
        assert torch.equal(saved['state_dict'][name], value)


def test_message_hub_survives(fp16_with_average):
    whole, second = fp16_with_average['whole'][0].message_hub, fp16_with_average['second'][0].message_hub
    found, expected = second.get_scalar('train/loss_toy').data, whole.get_scalar('train/loss_toy').data
    assert len(expected[0]) == 12 and found[0].tolist() == expected[0].tolist()
    assert second.get_info('iter') == whole.get_info('iter') == 11


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(tmp_path, monkeypatch):
    _, whole = toy_train(toy_config(tmp_path))
    newest = tmp_path / 'iter_12.pth'
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    runner = StrategyRunner.from_cfg(toy_config(tmp_path, resume=True))
    said = []
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    runner.train()
    losses = hook_of(runner, ToyLosses).losses
    assert losses == {iteration: whole[iteration] for iteration in range(9, 13)}
    assert any(str(newest) in line and 'damaged' in line and 'the one before it is used' in line for line in said)


def test_a_run_with_another_optimizer_wrapper_goes_on(tmp_path):
    """Mixed precision that is switched on, or off, in the middle of a run."""
    amp = {'optim_wrapper': {**FP16, 'optimizer': {'type': 'AdamW', 'lr': 0.01}}}
    toy_train_until_stopped(toy_config(tmp_path / 'a', stop_at=5))
    runner, after = toy_train(toy_config(tmp_path / 'a', resume=True, **copy.deepcopy(amp)))
    assert list(after) == list(range(6, 13)) and runner.optim_wrapper.scaler.get_scale() == 512
    toy_train_until_stopped(toy_config(tmp_path / 'b', stop_at=5, **copy.deepcopy(amp)))
    _, after = toy_train(toy_config(tmp_path / 'b', resume=True))
    assert list(after) == list(range(6, 13))
