"""Speed figures: in the log, and equal to what one works out by hand."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from toy_training import CLASSES, HIDDEN, IN, hook_of, toy_config, toy_train

from florence.engine.hooks import ThroughputHook
from florence.engine.hooks.throughput import _ForwardFlops, num_samples, peak_flops
from florence.layers import Linear

PEAK_TFLOPS = 1e-6
FLOPS_PER_POINT = 2 * (IN * HIDDEN + HIDDEN * CLASSES)
WITH_SPEED = {
    'logger': {'type': 'LoggerHook', 'interval': 1},
    'throughput': {'type': 'ThroughputHook', 'peak_tflops': PEAK_TFLOPS},
}


@pytest.fixture(scope='module', params=[4, 8])
def logged(request, tmp_path_factory):
    """Batch size, runner, and the records of the log."""
    folder = tmp_path_factory.mktemp('speed')
    options = {'train_dataloader.batch_size': request.param}
    runner, _ = toy_train(toy_config(folder, default_hooks=WITH_SPEED, options=options))
    lines = next(folder.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return request.param, runner, [json.loads(line) for line in lines]


def test_the_figures_are_in_the_log(logged):
    batch_size, _, records = logged
    assert len(records) == 12
    for record in records:
        assert record['images_per_second'] == pytest.approx(batch_size / record['time'], rel=1e-6)
        assert 0 < record['data_wait'] < 1
        assert record['memory_mb'] > 50 or torch.cuda.is_available()


def test_mfu_is_three_forward_passes_by_time_and_peak(logged):
    batch_size, _, records = logged
    for record in records:
        expected = 3 * FLOPS_PER_POINT * batch_size / record['time'] / (PEAK_TFLOPS * 1e12)
        assert record['mfu'] == pytest.approx(expected, rel=1e-6)


def test_operations_are_counted_per_sample(logged):
    assert hook_of(logged[1], ThroughputHook)._forward.per_sample == FLOPS_PER_POINT


def test_the_model_is_left_without_hooks(logged):
    assert not logged[1].model._forward_hooks and not logged[1].model._forward_pre_hooks


@pytest.mark.parametrize('batch_size', [1, 5, 64])
@pytest.mark.parametrize('layer', [nn.Linear, Linear])
def test_own_and_torch_s_linear_layers_count_the_same(layer, batch_size):
    model = nn.Sequential(layer(32, 64), nn.GELU(), layer(64, 16))
    counted = _ForwardFlops(model)
    model(torch.randn(batch_size, 7, 32))
    assert counted.per_sample == 7 * 2 * (32 * 64 + 64 * 16)
    model(torch.randn(3, 7, 32))
    assert counted.per_sample == 7 * 2 * (32 * 64 + 64 * 16), 'only the first pass is counted'


def test_recomputed_activations_are_not_counted(tmp_path):
    runner, _ = toy_train(toy_config(tmp_path, default_hooks=WITH_SPEED, activation_checkpointing=['hidden', 'head']))
    assert hook_of(runner, ThroughputHook)._forward.per_sample == FLOPS_PER_POINT


def test_a_failing_forward_pass_is_not_held_up():
    model = nn.Linear(4, 4)
    counted = _ForwardFlops(model)
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        model(torch.randn(2, 3))
    assert not model._forward_pre_hooks
    model(torch.randn(2, 4))
    assert counted.per_sample is None or counted.per_sample <= 2 * 16


def test_mfu_can_be_left_out(tmp_path):
    runner, _ = toy_train(toy_config(tmp_path, default_hooks={'throughput': {'type': 'ThroughputHook', 'mfu': False}}))
    scalars = runner.message_hub.log_scalars
    assert 'train/images_per_second' in scalars and 'train/mfu' not in scalars


def test_the_peak_of_a_known_gpu_is_its_data_sheet_s(monkeypatch):
    gpu = torch.device('cuda')
    known = {'H100 PCIe': 756, 'H100 80GB HBM3': 989, 'A100-SXM4-40GB': 312, 'L4': 121, 'L40S': 362}
    for name, tflops in known.items():
        monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device, name=name: f'NVIDIA {name}')
        assert peak_flops(gpu) == tflops * 1e12


def test_the_peak_of_another_device_is_measured():
    assert 1e9 < peak_flops(torch.device('cpu')) < 1e14


def test_samples_of_a_batch():
    assert num_samples({'inputs': torch.zeros(5, 3)}) == num_samples([0] * 5) == 5
    assert num_samples({'data_samples': [SimpleNamespace()] * 2}) == 2
    assert num_samples({}) == 0
