"""What a run starts from, which strategy and loops a config gets, and the mistakes that the runner names."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import IterBasedTrainLoop
from toy_training import BY_EPOCHS, BY_ITERATIONS, ToyLosses, hook_of, toy_config, toy_train

from florence.engine.loops import EpochTrainLoop, IterTrainLoop
from florence.engine.mmengine_configs import strategy_of
from florence.engine.runner import StrategyRunner

SHORT = {'type': 'IterTrainLoop', 'max_iters': 2}


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A run of twelve iterations, saved every fourth."""
    folder = tmp_path_factory.mktemp('finished')
    runner, losses = toy_train(toy_config(folder))
    return folder, runner, losses


def weights_before_training(cfg):
    """State dict and first iteration of a run whose loop does nothing."""
    runner = StrategyRunner.from_cfg(cfg)
    seen = {}
    runner.build_train_loop(runner._train_loop)
    runner.train_loop.run = lambda: seen.update(runner.model.state_dict(), iteration=runner.iter)
    runner.train()
    return runner, seen


def assert_weights_of(found, file):
    for name, value in torch.load(file, weights_only=False)['state_dict'].items():
        assert torch.equal(found[name], value), name


class TestStart:
    def test_load_from_takes_weights_only(self, finished, tmp_path):
        runner, found = weights_before_training(toy_config(tmp_path, load_from=str(finished[0] / 'iter_4.pth')))
        assert_weights_of(found, finished[0] / 'iter_4.pth')
        assert found['iteration'] == 0 and not runner.is_resuming

    def test_load_from_a_work_dir_takes_its_newest_checkpoint(self, finished, tmp_path):
        _, found = weights_before_training(toy_config(tmp_path, load_from=str(finished[0])))
        assert_weights_of(found, finished[0] / 'iter_12.pth')

    def test_load_from_a_folder_without_checkpoints(self, tmp_path):
        (tmp_path / 'empty').mkdir()
        with pytest.raises(FileNotFoundError, match=r'no checkpoint iter_N.pth or epoch_N.pth in .*empty: train that config'):
            toy_train(toy_config(tmp_path, load_from=str(tmp_path / 'empty')))

    @pytest.mark.parametrize('resume', [False, True])
    def test_no_such_file(self, resume, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*none.pth': check the path"):
            toy_train(toy_config(tmp_path, load_from=str(tmp_path / 'none.pth'), resume=resume))

    @pytest.mark.parametrize('resume', [True, 'auto'])
    def test_resume_without_a_checkpoint_starts_from_the_beginning(self, resume, finished, tmp_path):
        _, losses = toy_train(toy_config(tmp_path, resume=resume))
        assert losses == finished[2]

    def test_resume_auto_starts_from_load_from_until_there_is_a_checkpoint(self, finished, tmp_path):
        setting = {'load_from': str(finished[0]), 'resume': 'auto'}
        runner, found = weights_before_training(toy_config(tmp_path, **setting))
        assert_weights_of(found, finished[0] / 'iter_12.pth')
        assert found['iteration'] == 0 and not runner.is_resuming
        toy_train(toy_config(tmp_path, train_cfg={**BY_ITERATIONS, 'max_iters': 4}, **setting))
        runner, found = weights_before_training(toy_config(tmp_path, **setting))
        assert_weights_of(found, tmp_path / 'iter_4.pth')
        assert found['iteration'] == 4 and runner.is_resuming

    @pytest.mark.parametrize('as_string', [False, True])
    def test_resume_of_a_named_checkpoint(self, as_string, finished, tmp_path):
        path = str(finished[0] / 'iter_8.pth')
        named = {'resume': path} if as_string else {'resume': True, 'load_from': path}
        _, losses = toy_train(toy_config(tmp_path, **named))
        assert losses == {iteration: finished[2][iteration] for iteration in range(9, 13)}

    def test_a_run_at_its_end_does_nothing(self, finished):
        runner, losses = toy_train(toy_config(finished[0], resume=True))
        assert losses == {} and runner.iter == 12


class TestUnfitFiles:
    def test_weights_alone_cannot_be_resumed(self, finished, tmp_path):
        torch.save(finished[1].model.state_dict(), tmp_path / 'weights.pth')
        with pytest.raises(
            ValueError, match=r'weights.pth cannot be resumed, it has no optimizer \(it holds weights only\).*--load-'
        ):
            toy_train(toy_config(tmp_path, resume=True, load_from=str(tmp_path / 'weights.pth')))
        _, found = weights_before_training(toy_config(tmp_path, load_from=str(tmp_path / 'weights.pth')))
        assert_weights_of(found, finished[0] / 'iter_12.pth')

    @pytest.mark.parametrize('resume', [False, True])
    @pytest.mark.parametrize(
        ('content', 'message'),
        [
            (b'', 'is empty'),
            (b'no checkpoint at all', 'is truncated or no checkpoint'),
            ([1, 2], 'holds a list, expected a checkpoint'),
            ({'epoch': 3, 'model': {}}, 'has no state_dict; it has epoch, model'),
            ({}, 'has no state_dict'),
        ],
    )
    def test_other_files(self, content, message, resume, tmp_path):
        path = tmp_path / 'other.pth'
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        with pytest.raises(ValueError, match=rf'other.pth {message}'):
            toy_train(toy_config(tmp_path, resume=resume, load_from=str(path)))

    def test_a_truncated_checkpoint_that_was_named(self, finished, tmp_path):
        content = (finished[0] / 'iter_4.pth').read_bytes()
        (tmp_path / 'half.pth').write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match='half.pth is truncated or no checkpoint. Use another one'):
            toy_train(toy_config(tmp_path, load_from=str(tmp_path / 'half.pth')))


class TestStrategyOfAConfig:
    def test_by_the_launcher(self):
        assert strategy_of(Config({})).type == 'florence.SingleStrategy'
        assert strategy_of(Config({'launcher': 'none'})).type == 'florence.SingleStrategy'
        assert strategy_of(Config({'launcher': 'pytorch'})).type == 'florence.DDPStrategy'

    @pytest.mark.parametrize('name', ['DDPStrategy', 'mmengine.DDPStrategy', 'florence.DDPStrategy'])
    def test_one_process_for_ddp(self, name):
        with pytest.raises(ValueError, match='DDPStrategy needs several processes: start with tools/dist_train.sh'):
            strategy_of(Config({'launcher': 'none', 'strategy': {'type': name}}))

    @pytest.mark.parametrize('name', ['SingleDeviceStrategy', 'SingleStrategy', 'mmengine.SingleDeviceStrategy'])
    def test_several_processes_for_a_single_device(self, name):
        with pytest.raises(ValueError, match="SingleStrategy runs one process, but the launcher 'slurm' started several"):
            strategy_of(Config({'launcher': 'slurm', 'strategy': {'type': name}}))

    def test_settings_of_the_classic_runner_reach_ddp(self):
        classic = {
            'launcher': 'pytorch',
            'model_wrapper_cfg': {'broadcast_buffers': True},
            'find_unused_parameters': True,
            'sync_bn': 'torch',
            'activation_checkpointing': ['hidden'],
        }
        assert strategy_of(Config(classic)) == {
            'type': 'florence.DDPStrategy',
            'model_wrapper': {'broadcast_buffers': True, 'find_unused_parameters': True},
            'sync_bn': 'torch',
            'activation_checkpointing': ['hidden'],
        }

    def test_what_the_strategy_says_itself_wins(self):
        own = {'type': 'DDPStrategy', 'sync_bn': 'mmcv', 'model_wrapper': {'find_unused_parameters': False}}
        found = strategy_of(Config({'launcher': 'pytorch', 'strategy': own, 'sync_bn': 'torch', 'find_unused_parameters': True}))
        assert found.sync_bn == 'mmcv' and found.model_wrapper == {'find_unused_parameters': False}

    def test_the_config_of_the_caller_is_left_as_it_is(self):
        cfg = Config({'strategy': {'type': 'DeepSpeedStrategy', 'stage': 3}, 'activation_checkpointing': ['*']})
        assert strategy_of(cfg).activation_checkpointing == ['*']
        assert cfg.strategy == {'type': 'DeepSpeedStrategy', 'stage': 3}

    def test_activation_checkpointing_reaches_the_model(self, tmp_path, finished):
        runner, losses = toy_train(toy_config(tmp_path, activation_checkpointing=['hidden', 'head']))
        assert hasattr(runner.model.hidden.forward, '__wrapped__') and not hasattr(runner.model.drop_path.forward, '__wrapped__')
        assert losses == pytest.approx(finished[2], rel=1e-6)


class TestLoops:
    @pytest.mark.parametrize(
        ('train_cfg', 'kind'),
        [
            ({'by_epoch': False, 'max_iters': 2}, IterTrainLoop),
            ({'type': 'IterBasedTrainLoop', 'max_iters': 2}, IterTrainLoop),
            ({'type': 'mmengine.IterBasedTrainLoop', 'max_iters': 2}, IterTrainLoop),
            ({'by_epoch': True, 'max_epochs': 1}, EpochTrainLoop),
            ({'type': 'EpochBasedTrainLoop', 'max_epochs': 1}, EpochTrainLoop),
        ],
    )
    def test_the_loops_of_mmengine_are_exchanged(self, train_cfg, kind, tmp_path):
        runner, losses = toy_train(toy_config(tmp_path, train_cfg=train_cfg))
        assert type(runner.train_loop) is kind and len(losses) == (2 if kind is IterTrainLoop else 6)

    def test_a_loop_that_is_no_string_stays(self, tmp_path):
        runner = StrategyRunner.from_cfg(toy_config(tmp_path, train_cfg={'type': IterBasedTrainLoop, 'max_iters': 2}))
        runner.train()
        assert type(runner.train_loop) is IterBasedTrainLoop
        assert len(hook_of(runner, ToyLosses).losses) == 2

    @pytest.mark.parametrize('num_workers', [0, 2])
    def test_a_stream_without_a_length_trains_and_says_that_it_cannot_be_resumed(self, num_workers, tmp_path, capsys):
        stream = {'batch_size': 4, 'num_workers': num_workers, 'dataset': {'type': 'StreamedPoints'}, 'sampler': None}
        setting = {'train_dataloader': stream, 'train_cfg': BY_ITERATIONS}
        _, whole = toy_train(toy_config(tmp_path, **setting))
        assert 'a resumed run will read its data from the start: ' in capsys.readouterr().out
        _, after = toy_train(toy_config(tmp_path, load_from=str(tmp_path / 'iter_8.pth'), resume=True, **setting))
        assert list(whole) == list(range(1, 13)) and list(after) == list(range(9, 13))
        assert whole[12] < whole[1]

    def test_too_few_samples_for_a_batch(self, tmp_path):
        options = {'train_dataloader.dataset.length': 3, 'train_dataloader.drop_last': True}
        with pytest.raises(ValueError, match='training data give no batch: .* has fewer samples than batch_size x ranks'):
            toy_train(toy_config(tmp_path, options=options))

    @pytest.mark.parametrize(
        ('stage', 'needs'), [('train', 'optim_wrapper'), ('val', 'val_evaluator'), ('test', 'test_evaluator')]
    )
    def test_a_config_without_the_part_that_is_asked_for(self, stage, needs, tmp_path):
        without = {'train_dataloader': None, 'train_cfg': None, 'optim_wrapper': None}
        runner = StrategyRunner.from_cfg(toy_config(tmp_path, **without))
        with pytest.raises(RuntimeError, match=f'this config cannot .*{needs}'):
            getattr(runner, stage)()


class TestSettings:
    @pytest.mark.parametrize('enable', [True, False])
    def test_the_rate_follows_the_batch_size(self, enable, tmp_path):
        scale = {'enable': enable, 'base_batch_size': 16}
        runner, _ = toy_train(toy_config(tmp_path, auto_scale_lr=scale, train_cfg=SHORT))
        assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.01 * 4 / 16 if enable else 0.01)]

    def test_the_same_config_written_for_epochs_or_iterations_reads_the_same_data(self, tmp_path):
        _, by_iterations = toy_train(toy_config(tmp_path / 'a', train_cfg={'type': 'IterTrainLoop', 'max_iters': 18}))
        _, by_epochs = toy_train(toy_config(tmp_path / 'b', train_cfg=BY_EPOCHS))
        assert by_iterations == by_epochs

    def test_a_default_hook_can_be_left_out(self, tmp_path):
        from florence.engine.hooks import CheckpointHook, FiniteLossHook, StopOnSignalHook

        hooks = {'checkpoint': None, 'stop_on_signal': None, 'throughput': None}
        runner = StrategyRunner.from_cfg(toy_config(tmp_path, default_hooks=hooks))
        kinds = [type(hook) for hook in runner.hooks]
        assert FiniteLossHook in kinds and CheckpointHook not in kinds and StopOnSignalHook not in kinds

    def test_mmengine_s_checkpoint_hook_is_exchanged(self, tmp_path):
        from florence.engine.hooks import CheckpointHook

        runner = StrategyRunner.from_cfg(
            toy_config(tmp_path, default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 3, 'by_epoch': False}})
        )
        assert hook_of(runner, CheckpointHook).interval == 3
