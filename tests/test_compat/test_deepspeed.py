"""Mends for deepspeed: parameters without dimensions in every stage, a second engine, a start without a compiler."""

import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn

deepspeed = pytest.importorskip('deepspeed')

LAUNCHED = {'RANK': '0', 'LOCAL_RANK': '0', 'WORLD_SIZE': '1'}


@pytest.fixture(scope='module', autouse=True)
def group_of_one(tmp_path_factory):
    """deepspeed needs a process group; it goes again with this module."""
    before = {name: os.environ.get(name) for name in LAUNCHED}
    os.environ.update(LAUNCHED)
    started = not dist.is_initialized()
    if started:
        store = dist.FileStore(str(tmp_path_factory.mktemp('group') / 'store'), 1)
        dist.init_process_group('gloo', store=store, rank=0, world_size=1)
    yield
    if started:
        deepspeed.comm.destroy_process_group()  # not torch's: deepspeed keeps the group too
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


class Scaled(nn.Module):
    """A layer and a temperature."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.frozen = nn.Parameter(torch.tensor(2.0), requires_grad=False)

    def forward(self, x):
        return (self.layer(x) * self.scale * self.frozen).square().mean()


def trained(stage, steps=3):
    """Losses, temperature before the first and after the last step, and the engine."""
    torch.manual_seed(0)
    model = Scaled()
    config = {
        'train_micro_batch_size_per_gpu': 2,
        'zero_optimization': {'stage': stage},
        'zero_allow_untested_optimizer': True,
        'zero_force_ds_cpu_optimizer': False,
        'gradient_clipping': 0.0,  # else deepspeed clips at 1.0
        'steps_per_print': 10**9,
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config, dist_init_required=False)
    losses = []
    for _ in range(steps):
        loss = engine(torch.ones(2, 4))
        engine.backward(loss)
        engine.step()
        losses.append(loss.item())
    with deepspeed.zero.GatheredParameters([model.scale, model.frozen]) if stage == 3 else torch.no_grad():
        return losses, model.scale.detach().clone(), model.frozen.detach().clone()


@pytest.fixture(scope='module')
def by_torch():
    torch.manual_seed(0)
    model = Scaled()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = model(torch.ones(2, 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model.scale.detach()


@pytest.mark.parametrize('stage', [1, 2, 3])
def test_parameters_without_dimensions_are_trained_in_every_stage(stage, by_torch):
    losses, scale, frozen = trained(stage)
    assert losses == pytest.approx(by_torch[0], rel=1e-5)
    assert scale.shape == frozen.shape == ()
    assert scale.item() == pytest.approx(by_torch[1].item(), rel=1e-5) and scale != 1.5
    assert frozen.item() == 2.0


def test_a_second_engine_in_the_process_is_like_the_first():
    assert trained(2)[0] == trained(2)[0] == pytest.approx(trained(3)[0], rel=1e-6)


PROGRAM = """
import os, sys
import florence, torch
assert 'deepspeed' not in sys.modules, 'florence alone does not import it'
import deepspeed
print(os.environ.get('DS_ACCELERATOR'), deepspeed.ops.__compatible_ops__.get('deepspeed_shm_comm'))
"""


@pytest.mark.skipif(torch.accelerator.is_available(), reason='for machines without an accelerator')
def test_without_an_accelerator_it_starts_quietly_and_compiles_nothing():
    env = {name: value for name, value in os.environ.items() if name != 'DS_ACCELERATOR'}
    run = subprocess.run([sys.executable, '-c', PROGRAM], env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == 'cpu False'
    assert 'accelerator' not in (run.stdout + run.stderr).lower()


def test_an_accelerator_that_the_user_chose_stands(monkeypatch):
    from types import SimpleNamespace

    from florence.compat.deepspeed import _cpu_where_nothing_else

    monkeypatch.setenv('DS_ACCELERATOR', 'xpu')
    module = SimpleNamespace(ops=SimpleNamespace(__compatible_ops__={'deepspeed_shm_comm': True}))
    with _cpu_where_nothing_else(module):
        pass
    assert os.environ['DS_ACCELERATOR'] == 'xpu' and module.ops.__compatible_ops__['deepspeed_shm_comm'] is True
