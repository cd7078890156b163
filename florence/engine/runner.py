"""The runner behind `tools/train.py` and `tools/test.py`: mmengine's FlexibleRunner with what it leaves broken mended.

Differs from mmengine's: data sets without a length; hooks that keep state in checkpoints get it back (`before_run` comes before a
checkpoint is loaded, as in mmengine's classic runner); checkpoints are atomic and hold the state of every rank; a damaged one is
named and the one before it used; `compile`, `activation_checkpointing`, `model_wrapper_cfg`, `find_unused_parameters` and
`sync_bn`, which the classic runner reads from a config, count here too; the loops resume at the exact sample.
"""

import copy
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.runner import FlexibleRunner
from torch import nn

from florence.engine.checkpoint_files import is_work_dir, latest_checkpoint
from florence.engine.fitting_weights import require_fitting_weights
from florence.engine.mmengine_configs import OWN_HOOKS, OWN_LOOPS, own_type, strategy_of
from florence.engine.strategies.read_checkpoint import WITHOUT_MODULE
from florence.loading.loader_sizes import batch_size_of, has_length
from florence.registry import RUNNERS


@RUNNERS.register_module()
class StrategyRunner(FlexibleRunner):
    """Trains, validates and tests a model as a config says, under the strategy that it names.

    Args:
        **kwargs: Arguments of mmengine's FlexibleRunner.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'StrategyRunner':
        """A runner from a config, also from one written for mmengine's classic runner.

        Args:
            cfg: Entries as in mmengine; `strategy` names the strategy, None: by the launcher.

        Raises:
            ValueError: If strategy and launcher do not fit together.
        """
        cfg = copy.deepcopy(cfg)
        if cfg.get('env_cfg') is None:
            cfg['env_cfg'] = ConfigDict(dist_cfg=ConfigDict(backend='nccl'))
        cfg['strategy'] = strategy_of(cfg)
        goes_on_if_begun = cfg.get('resume') == 'auto'
        if goes_on_if_begun:
            cfg['resume'] = True  # mmengine allows no load_from beside a string
        runner = super().from_cfg(cfg)
        runner._goes_on_if_begun = goes_on_if_begun
        runner._compile = cfg.get('compile', False)
        return runner

    @cached_property
    def _config_text(self) -> str:
        return self.cfg.pretty_text  # formatting it takes longer than saving a small model

    _goes_on_if_begun = False
    _evaluates = False
    is_resuming = False
    """Whether a checkpoint is loaded to go on with its run, not only for its weights."""

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """mmengine's default hooks, and ours that keep a run safe; a hook that is None is left out."""
        merged: dict[str, Any] = {
            'checkpoint': {'type': 'florence.CheckpointHook', 'interval': 1},
            'finite_loss': {'type': 'florence.FiniteLossHook'},
            'throughput': {'type': 'florence.ThroughputHook'},
            'stop_on_signal': {'type': 'florence.StopOnSignalHook'},
            **(hooks or {}),
        }
        known = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
        merged = {name: own_type(hook, OWN_HOOKS) if isinstance(hook, dict) else hook for name, hook in merged.items()}
        super().register_default_hooks({name: hook for name, hook in merged.items() if hook is not None or name in known})

    def build_train_loop(self, loop: Any) -> Any:
        """The training loop; mmengine's two are exchanged for ours, which resume exactly."""
        if isinstance(loop, dict):
            loop = dict(loop)
            if 'by_epoch' in loop and 'type' not in loop:
                loop['type'] = 'EpochBasedTrainLoop' if loop.pop('by_epoch') else 'IterBasedTrainLoop'
            loop = own_type(loop, OWN_LOOPS)
        return super().build_train_loop(loop)

    def train(self) -> nn.Module:
        """Train to the end.

        Raises:
            RuntimeError: If the config has no training part.
        """
        if self._train_loop is None:
            raise RuntimeError('this config cannot train: it has no train_dataloader, train_cfg and optim_wrapper.')
        loader = self.train_loop.dataloader
        self._prepare(
            optim_wrapper=self.optim_wrapper,
            param_scheduler=self.param_schedulers,
            compile=self._compile,
            dispatch_kwargs={
                **({'epoch_length': len(loader)} if has_length(loader) else {}),
                'max_epochs': self.max_epochs,
                'max_iters': self.max_iters,
                'train_micro_batch_size_per_gpu': batch_size_of(loader),
            },
        )
        self.optim_wrapper = self.strategy.optim_wrapper
        if self.param_schedulers is not None:
            self.param_schedulers = self.strategy.param_schedulers
        self._require_fitting_hooks()
        return self._run(self.train_loop)

    def val(self) -> dict:
        """Evaluate on the validation data.

        Raises:
            RuntimeError: If the config has no validation part.
        """
        if self._val_loop is None:
            raise RuntimeError('this config cannot validate: it has no val_dataloader, val_cfg and val_evaluator.')
        self._prepare(dispatch_kwargs=self._for_evaluation())
        return self._run(self.val_loop)

    def test(self) -> dict:
        """Evaluate on the test data.

        Raises:
            RuntimeError: If the config has no test part.
        """
        if self._test_loop is None:
            raise RuntimeError('this config cannot test: it has no test_dataloader, test_cfg and test_evaluator.')
        self._prepare(dispatch_kwargs=self._for_evaluation())
        return self._run(self.test_loop)

    def _for_evaluation(self) -> dict:
        self._evaluates = True
        return {'init_weights_for_test_or_val': self.cfg.get('init_weights_for_test_or_val', True)}

    def _prepare(self, **kwargs) -> None:
        self.strategy.prepare(self.model, **kwargs)
        self.model = self.strategy.model

    def _run(self, loop: Any) -> Any:
        # Hooks set up their state first, else what a checkpoint holds for them would be lost.
        self.call_hook('before_run')
        self.load_or_resume()
        result = loop.run()
        self.call_hook('after_run')
        return result

    def _require_fitting_hooks(self) -> None:
        """mmengine's EMAHook copies the model, of which ZeRO-3 leaves nothing to copy."""
        from mmengine.hooks import EMAHook

        if getattr(self.strategy, 'stage', 0) == 3 and any(isinstance(hook, EMAHook) for hook in self.hooks):
            raise ValueError("mmengine's EMAHook cannot average a model under ZeRO stage 3: use type='florence.EMAHook'.")

    def load_or_resume(self) -> None:
        """Load the weights, or take up the run, that the config names.

        `resume=True` without `load_from` means the newest checkpoint of the work dir that is not damaged, with `load_from` that
        checkpoint. `resume='auto'` means the newest one of the work dir, and where there is none yet a start from the weights of
        `load_from`. `load_from` may be the work dir of another run, for its newest checkpoint.

        Raises:
            FileNotFoundError: If there is no such checkpoint.
        """
        if self._has_loaded:
            return
        source = self._resume if isinstance(self._resume, str) else self._load_from
        resumes = bool(self._resume)
        if resumes and (source is None or self._goes_on_if_begun):
            begun = self._latest_in(self.work_dir)
            if begun is None:
                self.logger.info(f'no checkpoint in {self.work_dir} yet: the run starts from {source or "the beginning"}')
            source, resumes = begun or source, begun is not None
        if source is None:
            return
        if is_work_dir(source):
            found = self._latest_in(source)
            if found is None:
                raise FileNotFoundError(
                    f'no checkpoint iter_N.pth or epoch_N.pth in {source}: train that config first, or name a file.'
                )
            source = found
        (self.resume if resumes else self.load_checkpoint)(source)
        self._has_loaded = True

    def _latest_in(self, folder: str) -> str | None:
        """Newest usable checkpoint; rank 0 looks, so that all ranks take the same."""
        found: list[str | None] = [None]
        if is_main_process():
            path = latest_checkpoint(folder, self.logger.warning)
            found = [None if path is None else str(path)]
        broadcast_object_list(found)
        return found[0]

    def resume(
        self, filename: str, resume_optimizer: bool = True, resume_param_scheduler: bool = True, map_location: Any = 'cpu'
    ) -> None:
        """Take up a run: weights, optimizer, schedules, hooks' states, random states, position in the data.

        Raises:
            ValueError: If the checkpoint is damaged or does not fit this run.
        """
        self.is_resuming = True
        checkpoint = self.strategy.resume(
            filename,
            resume_optimizer=resume_optimizer,
            resume_param_scheduler=resume_param_scheduler,
            map_location=map_location,
            callback=lambda loaded: self.call_hook('after_load_checkpoint', checkpoint=loaded),
        )
        self.train_loop._epoch = checkpoint['meta']['epoch']
        self.train_loop._iter = checkpoint['meta']['iter']
        self.message_hub.load_state_dict(checkpoint['message_hub'])
        self._resume_rank_state(checkpoint.get('rank_states'), filename)
        self.logger.info(f'resumed epoch: {self.epoch}, iter: {self.iter}')

    def _resume_rank_state(self, states: list[dict] | None, filename: str) -> None:
        if states is None or not hasattr(self.train_loop, 'load_rank_state'):
            self.logger.warning(f'{filename} holds no position in the data: the data are read from the start again')
        elif len(states) != self.world_size:
            self.logger.warning(
                f'{filename} was saved by {len(states)} ranks, this run has {self.world_size}: random states start anew, and '
                'the data go on at the same place only where a step reads as many samples as before'
            )
            self.train_loop.load_rank_state({'random': None, 'data': states[0]['data']})
        else:
            self.train_loop.load_rank_state(states[self.rank])

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Sequence = WITHOUT_MODULE
    ) -> None:
        """Load weights from a file, a URL, or a folder of sharded weights.

        Raises:
            ValueError: If it is no checkpoint, or not one of this model, with what is wrong.
        """
        self.is_resuming = False

        def prepare(loaded: dict) -> None:
            self.call_hook('after_load_checkpoint', checkpoint=loaded)
            # After the hooks: an average of the weights may stand where the weights were.
            require_fitting_weights(self.model, loaded['state_dict'], filename, complete=self._evaluates)

        self.strategy.load_checkpoint(
            filename, map_location=map_location, strict=strict, revise_keys=revise_keys, callback=prepare
        )

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Write a checkpoint; every rank must call it.

        Args:
            out_dir, filename: Where.
            file_client_args, backend_args: Not used: checkpoints are written to the local disk, atomically.
            save_optimizer: Also what is needed to go on; without it the file is for evaluation.
            save_param_scheduler: Also the schedules.
            meta: Further entries for `meta`.
            by_epoch: For loops that cannot tell their progress: called at the end of an epoch, else of an iteration.

        Raises:
            OSError: If it cannot be written.
        """
        if hasattr(self.train_loop, 'progress'):
            done = self.train_loop.progress()
        else:  # a loop of another package counts an epoch, or an iteration, after the hooks that save
            done = {'epoch': self.epoch + by_epoch, 'iter': self.iter + (not by_epoch)}
        meta = {**(meta or {}), **done, 'cfg': self._config_text, 'experiment_name': self.experiment_name}
        dataset_meta = getattr(self.train_dataloader.dataset, 'metainfo', None)
        if dataset_meta is not None:
            meta['dataset_meta'] = dataset_meta
        extra: dict[str, Any] = {'meta': meta, 'message_hub': self.message_hub.state_dict()}
        if save_optimizer and hasattr(self.train_loop, 'rank_state'):
            extra['rank_states'] = all_gather_object(self.train_loop.rank_state())
        self.strategy.save_checkpoint(
            filename=os.path.join(out_dir, filename),
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            extra_ckpt=extra,
            callback=lambda checkpoint: self.call_hook('before_save_checkpoint', checkpoint=checkpoint),
        )
