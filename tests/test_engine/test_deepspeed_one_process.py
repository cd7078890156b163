"""ZeRO in one process without a launcher: the losses of the plain strategy, scaled rates, files that can be read back."""

import os
import shutil

import pytest
import torch
import torch.distributed as dist
from toy_training import ToyLosses, hook_of, toy_config, toy_train, toy_train_until_stopped

from florence.engine.checkpoint_files import problem_of_shards
from florence.engine.hooks import EMAHook
from florence.engine.runner import StrategyRunner
from florence.engine.strategies.read_checkpoint import read_checkpoint

deepspeed = pytest.importorskip('deepspeed')
STAGES = (1, 2, 3)
LAUNCHED = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
FP16 = {'type': 'AmpOptimWrapper', 'dtype': 'float16', 'optimizer': {'type': 'AdamW', 'lr': 0.01}}


def zero(stage, **options):
    return {'type': 'DeepSpeedStrategy', 'stage': stage, **options}


@pytest.fixture(scope='module', autouse=True)
def no_group_left():
    """The strategy starts a process group of one; the next module must not find it."""
    before = {name: os.environ.pop(name, None) for name in LAUNCHED}
    yield
    if dist.is_initialized():
        deepspeed.comm.destroy_process_group()  # not torch's: deepspeed keeps the group too
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope='module')
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp('single')
    runner, losses = toy_train(toy_config(folder, custom_hooks=[{'type': 'ToyLosses'}, {'type': 'EMAHook', 'momentum': 0.3}]))
    return folder, runner, losses


@pytest.fixture(scope='module')
def sharded(single, tmp_path_factory):
    """Run of each stage, saved every fourth of twelve iterations; several engines in one process."""
    found = {}
    for stage in STAGES:
        folder = tmp_path_factory.mktemp(f'zero{stage}')
        hooks = [{'type': 'ToyLosses'}, {'type': 'EMAHook', 'momentum': 0.3}]
        runner, losses = toy_train(toy_config(folder, strategy=zero(stage), custom_hooks=hooks))
        weights = runner.strategy.model_state_dict()
        found[stage] = folder, runner, losses, weights
    return found


@pytest.mark.parametrize('stage', STAGES)
def test_losses_and_weights_are_those_of_the_plain_strategy(stage, single, sharded):
    _, runner, losses, weights = sharded[stage]
    assert list(losses) == list(range(1, 13)) and losses == pytest.approx(single[2], rel=1e-5)
    expected = single[1].model.state_dict()
    assert list(weights) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert weights['scale'].shape == () and weights['scale'] != 1.0, 'a parameter without dimensions is trained'
    assert runner.strategy.stage == stage


@pytest.mark.parametrize('stage', STAGES)
def test_a_stopped_run_goes_on_exactly(stage, sharded, tmp_path):
    setting = {'strategy': zero(stage)}
    hooks = [{'type': 'EMAHook', 'momentum': 0.3}]
    _, before = toy_train_until_stopped(
        toy_config(tmp_path, custom_hooks=[{'type': 'ToyLosses', 'stop_at': 7}, *hooks], **setting)
    )
    runner, after = toy_train(toy_config(tmp_path, custom_hooks=[{'type': 'ToyLosses'}, *hooks], resume=True, **setting))
    assert list(after) == list(range(8, 13))
    assert {**before, **after} == pytest.approx(sharded[stage][2], rel=1e-7)
    for found, expected in zip(hook_of(runner, EMAHook)._average, hook_of(sharded[stage][1], EMAHook)._average, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_damage_in_a_rank_s_part_leads_to_the_checkpoint_before(sharded, tmp_path, monkeypatch):
    folder = tmp_path / 'run'
    shutil.copytree(sharded[2][0], folder)
    for order, name in enumerate(('iter_4.pth', 'iter_8.pth', 'iter_12.pth')):
        os.utime(folder / name, (order, order))
    part = max((folder / 'iter_12.shards').glob('*optim_states.pt'))
    os.truncate(part, part.stat().st_size // 2)
    assert part.name in problem_of_shards(folder / 'iter_12.pth')
    hooks = [{'type': 'ToyLosses'}, {'type': 'EMAHook', 'momentum': 0.3}]
    runner = StrategyRunner.from_cfg(toy_config(folder, strategy=zero(2), custom_hooks=hooks, resume=True))
    said = []
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    runner.train()
    assert hook_of(runner, ToyLosses).losses == pytest.approx(
        {number: sharded[2][2][number] for number in range(9, 13)}, rel=1e-6
    )
    assert any(part.name in line and 'the one before it is used' in line for line in said)


@pytest.mark.parametrize('enable', [True, False])
def test_the_rate_follows_the_batch_size(enable, tmp_path):
    scale = {'enable': enable, 'base_batch_size': 16}
    short = {'type': 'IterTrainLoop', 'max_iters': 1}
    runner, _ = toy_train(toy_config(tmp_path, auto_scale_lr=scale, train_cfg=short, strategy=zero(2)))
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.01 * 4 / 16 if enable else 0.01)]


@pytest.mark.parametrize('stage', STAGES)
def test_the_file_holds_the_average_and_the_full_weights(stage, sharded):
    folder, _, _, weights = sharded[stage]
    checkpoint = read_checkpoint(folder / 'iter_12.pth')
    assert list(checkpoint['ema_state_dict']) == list(weights)
    for name, value in weights.items():
        assert torch.equal(checkpoint['ema_state_dict'][name], value), name
    assert not torch.equal(checkpoint['state_dict']['head.weight'], weights['head.weight'])
    assert checkpoint['meta']['iter'] == 12 and checkpoint['meta']['strategy'] == 'DeepSpeedStrategy'


@pytest.mark.parametrize('tagged', [False, True])
@pytest.mark.parametrize('stage', STAGES)
def test_a_folder_of_deepspeed_gives_the_same_weights(stage, tagged, sharded, tmp_path):
    folder, _, _, weights = sharded[stage]
    source = folder / 'iter_12.shards'
    if tagged:
        shutil.copytree(source, tmp_path / 'step12')
        (tmp_path / 'latest').write_text('step12')
        source = tmp_path
    found = read_checkpoint(source)['state_dict']
    assert set(found) == set(weights)
    for name, value in weights.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(ValueError, match='is no folder of sharded weights'):
        read_checkpoint(tmp_path)


def test_a_folder_of_parts_starts_another_strategy(sharded, tmp_path):
    cfg = toy_config(tmp_path, load_from=str(sharded[3][0] / 'iter_12.shards'))
    runner = StrategyRunner.from_cfg(cfg)
    seen = {}
    runner.build_train_loop(runner._train_loop)
    runner.train_loop.run = lambda: seen.update(runner.model.state_dict())
    runner.train()
    assert torch.equal(seen['head.weight'], sharded[3][3]['head.weight'])


def test_resuming_under_another_strategy_is_an_error(single, sharded, tmp_path):
    path = str(sharded[2][0] / 'iter_4.pth')
    with pytest.raises(
        ValueError, match=r'iter_4.pth cannot be resumed, it has no optimizer \(it was saved by DeepSpeedStrategy\)'
    ):
        toy_train(toy_config(tmp_path, resume=True, load_from=path))
    path = str(single[0] / 'iter_4.pth')
    with pytest.raises(ValueError, match=r'cannot be resumed, it has no optim_wrapper \(it was saved by SingleStrategy\)'):
        toy_train(toy_config(tmp_path, resume=True, load_from=path, strategy=zero(2)))


def test_missing_parts_and_another_number_of_ranks_are_named(sharded, tmp_path):
    alone = tmp_path / 'iter_4.pth'
    shutil.copy(sharded[2][0] / 'iter_4.pth', alone)
    with pytest.raises(ValueError, match=r"lacks the ranks' parts of the optimizer, expected in .*iter_4.shards"):
        toy_train(toy_config(tmp_path, resume=True, load_from=str(alone), strategy=zero(2)))
    checkpoint = torch.load(alone, weights_only=False)
    checkpoint['meta']['world_size'] = 8
    torch.save(checkpoint, alone)
    with pytest.raises(ValueError, match='was saved by 8 ranks and cannot be resumed by 1: start as many'):
        toy_train(toy_config(tmp_path, resume=True, load_from=str(alone), strategy=zero(2)))


@pytest.mark.parametrize('stage', [2, 3])
def test_fp16_keeps_its_loss_scale_over_a_stop(stage, tmp_path):
    wrapper = {**FP16, 'loss_scale': {'init_scale': 256.0, 'growth_interval': 5}}
    setting = {'strategy': zero(stage), 'optim_wrapper': wrapper}
    _, whole = toy_train(toy_config(tmp_path / 'whole', **setting))
    toy_train_until_stopped(toy_config(tmp_path / 'run', stop_at=7, **setting))
    runner, after = toy_train(toy_config(tmp_path / 'run', resume=True, **setting))
    assert after == pytest.approx({iteration: whole[iteration] for iteration in range(8, 13)}, rel=1e-6)
    assert runner.optim_wrapper.loss_scale.scale == 1024 and runner.optim_wrapper.loss_scale.steps_since_overflow == 2


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'strategy': zero(4)}, 'stage must be 1, 2 or 3, got 4'),
        ({'strategy': zero(2, offload='all')}, "offload is 'none', 'optimizer' or, in stage 3, 'all'; got 'all' in stage 2"),
        ({'optim_wrapper': {**FP16, 'clip_grad': {'max_norm': 1.0, 'norm_type': 1}}}, 'deepspeed clips the 2-norm'),
        ({'optim_wrapper': FP16, 'strategy': zero(2, config={'bf16': {'enabled': True}})}, "AmpOptimWrapper and the .* 'bf16'"),
        ({'optim_wrapper': {**FP16, 'type': 'ApexOptimWrapper'}}, "takes optim_wrapper.type .* got 'ApexOptimWrapper'"),
    ],
)
def test_mistakes(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        toy_train(toy_config(tmp_path, **{'strategy': zero(2), **change}))


def test_no_such_settings_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no config file 'none.json'"):
        toy_train(toy_config(tmp_path, strategy=zero(2, config='none.json')))


def test_mmengine_s_average_does_not_fit_stage_3(tmp_path):
    hooks = [{'type': 'mmengine.EMAHook'}]
    with pytest.raises(ValueError, match="use type='florence.EMAHook'"):
        toy_train(toy_config(tmp_path, strategy=zero(3), custom_hooks=hooks))


def test_the_fast_start_compiles_nothing():
    from deepspeed.ops import __compatible_ops__

    if torch.accelerator.is_available():
        pytest.skip('on an accelerator deepspeed does not look for its CPU module')
    assert os.environ['DS_ACCELERATOR'] == 'cpu' and __compatible_ops__['deepspeed_shm_comm'] is False
