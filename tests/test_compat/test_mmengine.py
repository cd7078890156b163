"""Mended launchers and loops of mmengine."""

import os
import pickle
import socket
import subprocess
import sys
import time
from unittest import mock

import mmengine.dist.utils
import mmengine.runner.loops
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch.utils.data import DataLoader

RANK_PROGRAM = """
import atexit, florence, torch
from mmengine.dist import all_reduce, get_rank, init_dist
# Registered first, called last.
atexit.register(lambda: print(f'in a group at the end: {torch.distributed.is_initialized()}'))
init_dist('pytorch', backend='gloo')
total = torch.tensor([float(get_rank() + 1)])
all_reduce(total)
print(f'total {total.item()}')
"""


def test_two_gloo_ranks_start_without_cuda_and_leave_their_group():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    common = {
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port),
        'WORLD_SIZE': '2',
        'CUDA_VISIBLE_DEVICES': '',
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, '-c', RANK_PROGRAM],
            env={**os.environ, **common, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in ranks:
            output, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            assert 'total 3.0' in output
            assert 'in a group at the end: False' in output
    finally:
        for process in ranks:
            process.kill()


@pytest.mark.parametrize('available', [True, False])
def test_device_is_selected_only_with_cuda(available):
    with (
        mock.patch.object(torch.cuda, 'is_available', return_value=available),
        mock.patch.object(torch.cuda, 'set_device') as set_device,
    ):
        mmengine.dist.utils.torch.cuda.set_device(3)
    assert set_device.call_args_list == ([mock.call(3)] if available else [])
    assert torch.cuda is not mmengine.dist.utils.torch.cuda


def test_new_round_of_the_data_starts_without_a_pause():
    iterator = mmengine.runner.loops._InfiniteDataloaderIterator(DataLoader(range(2)))
    start = time.perf_counter()
    values = [int(next(iterator)) for _ in range(5)]
    assert values == [0, 1, 0, 1, 0]
    assert time.perf_counter() - start < 1
    assert time.sleep is not mmengine.runner.loops.time.sleep


def test_environment_report_of_mmengine_works():
    from mmengine.utils.dl_utils import collect_env

    assert collect_env()['PyTorch'] == torch.__version__


def test_a_history_holds_the_last_entries_and_is_copied_rarely():
    buffer = HistoryBuffer(max_length=100)
    copies = 0
    store = None
    for step in range(1000):
        buffer.update(float(step), count=2)
        copies += buffer.data[0].base is not store
        store = buffer.data[0].base
        values, counts = buffer.data
        assert values[-1] == step and len(values) == len(counts) == min(step + 1, 100)
    assert copies < 30
    assert list(buffer.data[0]) == list(range(900, 1000)) and set(buffer.data[1]) == {2}
    assert buffer.mean(4) == pytest.approx(sum(range(996, 1000)) / 8)
    restored = pickle.loads(pickle.dumps(buffer))
    restored.update(7)
    assert list(restored.data[0][-2:]) == [999, 7] and buffer.data[0][-1] == 999
    fresh = HistoryBuffer([1, 2], [1, 1])
    fresh.update(3)
    assert list(fresh.data[0]) == [1, 2, 3]
    with pytest.raises(TypeError, match='int or float'):
        fresh.update('3')


def test_history_out_of_a_checkpoint_goes_on():
    """Its arrays may lie on the bytes of the file, which are no array and cannot be written."""
    buffer = HistoryBuffer([1, 2], [1, 1])
    buffer._log_history = np.frombuffer(np.array([1.0, 2.0]).tobytes())
    buffer._count_history = np.frombuffer(np.array([1.0, 1.0]).tobytes())
    buffer.update(3)
    assert buffer.data[0].tolist() == [1, 2, 3] and buffer.data[1].tolist() == [1, 1, 1]


def test_pretrained_weights_of_another_module_are_refused(tmp_path):
    from mmengine.model import BaseModule, initialize

    class Tower(BaseModule):
        def __init__(self, width):
            super().__init__()
            self.layer = torch.nn.Linear(width, width)

    def start(model, **given):
        initialize(model, dict(type='Pretrained', checkpoint=str(path), **given))
        return model

    path = tmp_path / 'tower.pth'
    own = Tower(2)
    torch.save({'state_dict': {f'backbone.{name}': value for name, value in own.state_dict().items()}}, path)
    assert torch.equal(start(Tower(2), prefix='backbone.').layer.weight, own.layer.weight)
    for width, given in ((2, {}), (3, {'prefix': 'backbone.'})):
        with pytest.raises(ValueError, match=r'none of the weights of .*tower.pth fits Tower: .* "backbone."'):
            start(Tower(width), **given)


def test_an_optimizer_of_transformers_is_imported_where_it_is_built():
    code = """
import sys
import florence
from mmengine.optim import OPTIMIZERS
assert not {'transformers', 'transformers.trainer_utils', 'peft'} & set(sys.modules)
import torch
weights = [torch.nn.Parameter(torch.ones(2, 2))]
optimizer = OPTIMIZERS.build(dict(type='Adafactor', params=weights, lr=0.1, relative_step=False, scale_parameter=False))
from transformers import Adafactor
assert type(optimizer) is Adafactor and isinstance(optimizer, torch.optim.Optimizer)
weights[0].sum().backward()
optimizer.step()
assert weights[0].max() < 1
"""
    subprocess.run([sys.executable, '-c', code], check=True)
