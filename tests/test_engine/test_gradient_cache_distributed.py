"""The gradient cache on two gloo ranks: DDP on unequal ranks, every stage of ZeRO, against a single process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from gradient_cache_models import batch, build, gradients_of, largest_error  # noqa: E402
from gradient_cache_worker import DDP_SIZES, single_process  # noqa: E402


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """Results of both ranks."""
    folder, worker = tmp_path_factory.mktemp('ranks'), Path(__file__).with_name('gradient_cache_worker.py')
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'DS_ACCELERATOR': 'cpu', 'PYTHONPATH': str(Path(__file__).parents[2])}
    env |= {'LOCAL_RANK': '0', 'WORLD_SIZE': '2'}
    processes = [
        subprocess.Popen(
            [sys.executable, str(worker), str(rank), '2', str(folder)],
            env={**env, 'RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in processes:
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f'{rank}.pt', weights_only=False) for rank in range(2)]


def test_ddp_equals_one_process_and_reduces_once(ranks):
    model = build()
    losses = model(**model.data_preprocessor(batch(sum(DDP_SIZES)), training=True), mode='loss')
    expected = gradients_of(losses['loss_unicl'], model)
    for rank in ranks:
        result = rank['ddp']
        assert largest_error(result['plain']['gradients'], expected) <= 1e-10
        assert largest_error(result['cached']['gradients'], expected) <= 1e-10
        assert result['cached']['reductions'] == result['plain']['reductions'] == [0]


@pytest.mark.parametrize('stage', [0, 1, 2, 3])
def test_zero_equals_one_process_and_reduces_once(stage, ranks):
    expected, loss = single_process()
    start = dict(build(double=False).named_parameters())
    updates = {name: value - start[name].detach() for name, value in expected.items()}
    for rank in ranks:
        result = rank['zero'][stage]
        weights = result['weights']
        torch.testing.assert_close(weights, expected, rtol=1e-5, atol=1e-6)
        assert largest_error({name: value - start[name].detach() for name, value in weights.items()}, updates) <= 1e-3
        torch.testing.assert_close(weights['logit_scale'], expected['logit_scale'], rtol=1e-6, atol=0)
        assert weights['logit_scale'] != start['logit_scale']
        assert result['reduced'] == result['reduced_plainly'] > 0
    mean = sum(rank['zero'][stage]['loss'] for rank in ranks) / len(ranks)
    assert mean.item() == pytest.approx(loss.item(), rel=1e-5)


def test_mistakes_of_several_ranks_are_named(ranks):
    for rank in ranks:
        assert 'one rank needs 3 chunks but another has only 1 samples' in rank['zero']['uneven']
        assert 'accumulation over 4 batches' in rank['zero']['accumulation']
