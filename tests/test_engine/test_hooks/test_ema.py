"""The average of the weights, by hand."""

import pytest
import torch
from mmengine.hooks import Hook
from toy_training import VALIDATED, hook_of, toy_config, toy_train

from florence.engine.hooks import EMAHook
from florence.registry import HOOKS


@HOOKS.register_module(force=True)
class HeadWeights(Hook):
    """Keeps the head's weights as they are before training, after each iteration and during validation."""

    priority = 'LOWEST'

    def __init__(self):
        self.trained, self.validated, self.after_validation = [], [], []

    def before_train(self, runner):
        self.trained.append(runner.model.head.weight.detach().clone())

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.trained.append(runner.model.head.weight.detach().clone())

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.validated.append(runner.model.head.weight.detach().clone())

    def after_val(self, runner):
        self.after_validation.append(runner.model.head.weight.detach().clone())


def average_of(runner, name='head.weight'):
    names = [key for key, parameter in runner.model.named_parameters() if parameter.requires_grad]
    return hook_of(runner, EMAHook)._average[names.index(name)]


def run(folder, *, momentum=0.1, begin=0, interval=1, **entries):
    hooks = [
        {'type': 'ToyLosses'},
        {'type': 'EMAHook', 'momentum': momentum, 'begin': begin, 'interval': interval},
        {'type': 'HeadWeights'},
    ]
    runner, _ = toy_train(toy_config(folder, custom_hooks=hooks, **entries))
    return runner, hook_of(runner, HeadWeights)


def test_every_step_moves_the_average_by_the_momentum(tmp_path):
    runner, seen = run(tmp_path, momentum=0.1)
    expected = seen.trained[0]
    for weights in seen.trained[1:]:
        expected = 0.9 * expected + 0.1 * weights
    torch.testing.assert_close(average_of(runner), expected, rtol=1e-5, atol=1e-7)
    assert len(seen.trained) == 13 and not torch.allclose(expected, seen.trained[-1], atol=1e-3)


def test_until_it_begins_the_average_follows_the_weights(tmp_path):
    runner, seen = run(tmp_path, momentum=0.25, begin=10)
    expected = seen.trained[10]
    for weights in seen.trained[11:]:
        expected = 0.75 * expected + 0.25 * weights
    torch.testing.assert_close(average_of(runner), expected, rtol=1e-5, atol=1e-7)


def test_steps_between_updates_do_not_count(tmp_path):
    runner, seen = run(tmp_path, momentum=0.5, interval=5)
    expected = seen.trained[0]
    for iteration in (5, 10):
        expected = 0.5 * expected + 0.5 * seen.trained[iteration]
    torch.testing.assert_close(average_of(runner), expected, rtol=1e-5, atol=1e-7)


def test_validation_sees_the_average_and_training_does_not(tmp_path):
    runner, seen = run(tmp_path, momentum=0.1, **VALIDATED)
    assert torch.equal(seen.validated[-1], average_of(runner))
    assert torch.equal(seen.after_validation[-1], seen.trained[-1]) and torch.equal(runner.model.head.weight, seen.trained[-1])


def test_the_checkpoint_s_weights_are_the_average(tmp_path):
    runner, seen = run(tmp_path, momentum=0.1)
    saved = torch.load(tmp_path / 'iter_12.pth', weights_only=False)
    assert torch.equal(saved['state_dict']['head.weight'], average_of(runner))
    assert torch.equal(saved['ema_state_dict']['head.weight'], seen.trained[-1])
    assert torch.equal(runner.model.head.weight, seen.trained[-1]), 'saving leaves the trained weights in place'


@pytest.mark.parametrize('averaged', [True, False])
def test_loaded_weights_are_where_the_average_starts(averaged, tmp_path):
    if averaged:
        run(tmp_path / 'source', momentum=0.3)
    else:
        toy_train(toy_config(tmp_path / 'source'))
    loaded = torch.load(tmp_path / 'source' / 'iter_12.pth', weights_only=False)['state_dict']['head.weight']
    short = {'type': 'IterTrainLoop', 'max_iters': 1}
    runner, seen = run(tmp_path / 'run', momentum=0.1, load_from=str(tmp_path / 'source'), train_cfg=short)
    assert torch.equal(seen.trained[0], loaded)
    torch.testing.assert_close(average_of(runner), 0.9 * loaded + 0.1 * seen.trained[1], rtol=1e-5, atol=1e-7)


def test_an_average_that_is_switched_on_in_a_resumed_run_starts_from_its_weights(tmp_path):
    toy_train(toy_config(tmp_path, train_cfg={'type': 'IterTrainLoop', 'max_iters': 4}))
    runner, seen = run(tmp_path, momentum=0.5, resume=True, train_cfg={'type': 'IterTrainLoop', 'max_iters': 5})
    saved = torch.load(tmp_path / 'iter_4.pth', weights_only=False)['state_dict']['head.weight']
    torch.testing.assert_close(average_of(runner), 0.5 * saved + 0.5 * seen.trained[-1], rtol=1e-5, atol=1e-7)


def test_half_precision_weights_are_averaged_in_fp32(tmp_path):
    """A bf16 weight of 1 does not see a change of 0.0002; its average does."""
    from types import SimpleNamespace

    model = torch.nn.Linear(2, 2, bias=False).bfloat16()
    model.weight.data.fill_(1.0)
    hook = EMAHook(momentum=0.0002)
    runner = SimpleNamespace(model=model, iter=0)
    hook.before_run(runner)
    model.weight.data.fill_(2.0)
    for _ in range(5):
        hook.after_train_iter(runner, 0)
    assert hook._average[0].dtype == torch.float32
    assert hook._average[0].flatten().tolist() == pytest.approx([2 - 0.9998**5] * 4, rel=1e-6)


@pytest.mark.parametrize('momentum', [0.0, 1.0, -0.1, 1.5])
def test_the_momentum_is_a_share(momentum):
    with pytest.raises(ValueError, match=rf'in \(0, 1\), got {momentum}'):
        EMAHook(momentum=momentum)


def test_frozen_parameters_are_not_averaged(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[0].requires_grad_(False)
    hook = EMAHook()
    from types import SimpleNamespace

    hook.before_run(SimpleNamespace(model=model))
    assert [value.shape for value in hook._average] == [(2, 2), (2,)]
