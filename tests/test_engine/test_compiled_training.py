"""`compile=True` in a config: the parts that have weights are compiled, the losses stay."""

import shutil

import pytest
import torch
from toy_training import toy_config, toy_train

from florence.engine.strategies import SingleStrategy

SHORT = {'type': 'IterTrainLoop', 'max_iters': 3}


@pytest.mark.parametrize(
    ('options', 'targets'), [(True, {'hidden', 'head'}), ({'targets': ['head'], 'backend': 'eager'}, {'head'})]
)
def test_which_parts(options, targets, monkeypatch):
    import logging

    compiled = {}
    monkeypatch.setattr(torch.nn.Module, 'compile', lambda self, **kwargs: compiled.update({self: kwargs}))
    model = torch.nn.ModuleDict({'hidden': torch.nn.Linear(2, 2), 'act': torch.nn.ReLU(), 'head': torch.nn.Linear(2, 2)})
    strategy = SingleStrategy.__new__(SingleStrategy)
    strategy.logger = logging.getLogger('compiled')
    assert strategy.compile_model(model, compile=options) is model
    assert {name for name, part in model.items() if part in compiled} == targets
    assert list(compiled.values()) == [{'backend': 'eager'} if isinstance(options, dict) else {}] * len(targets)
    assert strategy.compile_model(model, compile=False) is model and len(compiled) == len(targets)


def test_an_unknown_part_is_an_error(tmp_path):
    with pytest.raises(AttributeError, match='heads'):
        toy_train(toy_config(tmp_path, train_cfg=SHORT, compile={'targets': ['heads'], 'backend': 'eager'}))


@pytest.mark.parametrize('options', [{'backend': 'aot_eager'}, {}])
def test_losses_stay(options, tmp_path):
    if not options and shutil.which('g++') is None:
        pytest.skip('needs a compiler: g++ is not there')
    hooks = {'throughput': {'type': 'ThroughputHook', 'peak_tflops': 1.0}}
    _, expected = toy_train(toy_config(tmp_path / 'plain', train_cfg=SHORT))
    runner, losses = toy_train(
        toy_config(tmp_path / 'compiled', train_cfg=SHORT, compile={'targets': ['head'], **options}, default_hooks=hooks)
    )
    assert losses == pytest.approx(expected, rel=1e-5)
    assert runner.model.head._compiled_call_impl is not None and runner.model.hidden._compiled_call_impl is None
    assert list(runner.model.state_dict()) == ['scale', 'hidden.weight', 'hidden.bias', 'head.weight', 'head.bias']
    scalars = runner.message_hub.log_scalars
    assert 'train/images_per_second' in scalars and 'train/mfu' not in scalars, 'compiled parts hide their operations'
    torch._dynamo.reset()
