"""ZeRO: optimizer states (stage 1), gradients (2) and parameters (3) split over the ranks (arXiv 1910.02054; Florence, arXiv
2111.11432, section 2.7), through deepspeed.

Differs from mmengine's DeepSpeedStrategy, of which it mends: start without CUDA and in a single process, several engines in one
process, hooks that add to a checkpoint or read one, weights from a plain `.pth`, `auto_scale_lr`, `compile`, gradient clipping
and accumulation and precision taken from the same `optim_wrapper` that the other strategies use, fp16 whose ranks agree on
overflows, and checkpoints that appear whole or not at all, with a `.pth` of full fp32 weights that any strategy loads.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine._strategy import BaseStrategy
from mmengine.device import get_device
from mmengine.dist import init_dist, is_distributed
from mmengine.optim import BaseOptimWrapper
from torch import nn

from florence.engine.checkpoint_files import save_checkpoint_file, shards_folder
from florence.engine.main_process import on_main_process
from florence.engine.optimizers.mixed_precision import half_precision
from florence.engine.strategies.any_checkpoint import AnyCheckpoint
from florence.engine.strategies.deepspeed_model import DeepSpeedModel, DynamicLossScale
from florence.engine.strategies.deepspeed_start import engine_config, start_group_of_one
from florence.engine.strategies.prepared_model import PreparedModel
from florence.engine.strategies.read_checkpoint import WITHOUT_MODULE, read_checkpoint, require_states
from florence.engine.strategies.sharded_weights import full_state_dict, load_full_state_dict
from florence.registry import STRATEGIES


@STRATEGIES.register_module()
class DeepSpeedStrategy(AnyCheckpoint, PreparedModel, BaseStrategy):
    """Training with ZeRO.

    Gradient clipping (`clip_grad`), accumulation (`accumulative_counts`) and mixed precision (type `AmpOptimWrapper`) are read
    from `optim_wrapper`, as for the other strategies. Mixed precision is autocast over fp32 weights; deepspeed's own `fp16` and
    `bf16` blocks, which keep half-precision weights, can be given in `config` instead.

    Args:
        stage: ZeRO stage, 1, 2 or 3.
        offload: Kept in CPU memory: 'none', 'optimizer' (its states), or 'all' (parameters too, stage 3 only).
        config: Further deepspeed settings, as a dict or the path of a JSON file; they win over the other arguments.
        activation_checkpointing: Patterns of module names, see `florence.engine.activation_checkpointing`.
        **kwargs: What the runner passes on.

    Raises:
        ValueError: If the stage or the offload is unknown.
    """

    def __init__(
        self, *, stage: int = 2, offload: str = 'none', config: dict | str | None = None, activation_checkpointing=None, **kwargs
    ) -> None:
        if stage not in (1, 2, 3):
            raise ValueError(f'DeepSpeedStrategy: stage must be 1, 2 or 3, got {stage!r}.')
        if offload not in ('none', 'optimizer', 'all') or (offload == 'all' and stage < 3):
            raise ValueError(
                f"DeepSpeedStrategy: offload is 'none', 'optimizer' or, in stage 3, 'all'; got {offload!r} in stage {stage}."
            )
        self.config = engine_config(stage, offload, config)
        self.precision: torch.dtype | None = None
        self.loss_scale: DynamicLossScale | None = None
        super().__init__(activation_checkpointing=activation_checkpointing, **kwargs)

    def _setup_env(self, *, launcher: str | None = None, **kwargs) -> None:
        super()._setup_env(launcher=launcher, **kwargs)
        if not is_distributed():
            start_group_of_one()

    def _setup_distributed(self, launcher: str = 'pytorch', backend: str = 'nccl', **kwargs) -> None:
        init_dist(launcher, backend if torch.accelerator.is_available() else 'gloo', **kwargs)

    @property
    def stage(self) -> int:
        """ZeRO stage in force."""
        return self.config['zero_optimization']['stage']

    def prepare(
        self,
        model: nn.Module | dict,
        *,
        optim_wrapper: Any = None,
        param_scheduler: Any = None,
        compile: Any = False,
        dispatch_kwargs=None,
    ) -> Any:
        """Build model, optimizer and schedules; wrap the model in an engine.

        Without `optim_wrapper` (evaluation) there is nothing to shard: every rank then holds the plain model.
        """
        if self._prepared:
            return self._prepared_components()
        self.dispatch_kwargs.update(dispatch_kwargs or {})
        model = self._init_model_weights(self.build_model(model))
        model = self.compile_model(model, compile)
        if optim_wrapper is None:
            self.model = model.to(get_device())
        else:
            self.optim_wrapper = self.build_optim_wrapper(optim_wrapper, model)
            self._scale_lr()
            self.model = self._wrap_model(model)
            self.optim_wrapper.attach(self.model, self.loss_scale)
        if param_scheduler is not None:
            self.param_schedulers = self.build_param_scheduler(param_scheduler, self.optim_wrapper)
        self._prepared = True
        return self._prepared_components()

    def build_optim_wrapper(self, optim_wrapper: Any, model: nn.Module | None = None) -> BaseOptimWrapper:
        """The wrapper of a config that was written for any strategy.

        Raises:
            ValueError: If it asks for what an engine cannot do.
        """
        if not isinstance(optim_wrapper, dict):
            return super().build_optim_wrapper(optim_wrapper, model)
        cfg = dict(optim_wrapper)
        kind = str(cfg.pop('type', 'OptimWrapper')).rpartition('.')[2]
        if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'DeepSpeedOptimWrapper'):
            raise ValueError(f'DeepSpeedStrategy takes optim_wrapper.type OptimWrapper or AmpOptimWrapper, got {kind!r}.')
        clip = dict(cfg.pop('clip_grad', None) or {})
        if clip and (
            clip.pop('type', 'norm') != 'norm' or clip.pop('norm_type', 2) != 2 or set(clip) - {'max_norm', 'error_if_nonfinite'}
        ):
            raise ValueError(
                f'deepspeed clips the 2-norm of the gradients: give clip_grad=dict(max_norm=...), got '
                f'{optim_wrapper["clip_grad"]}.'
            )
        # Said in any case: deepspeed clips at 1.0 unless told otherwise.
        self.config.setdefault('gradient_clipping', clip.get('max_norm', 0.0))
        self.config.setdefault('gradient_accumulation_steps', cfg.pop('accumulative_counts', 1))
        if 'optimizer' in cfg:
            cfg['optimizer'] = self._fit_to_offload(dict(cfg['optimizer']))
        dtype, scale = cfg.pop('dtype', 'bfloat16'), cfg.pop('loss_scale', 'dynamic')
        if kind == 'AmpOptimWrapper':
            self._set_precision(half_precision(dtype), scale)
        return super().build_optim_wrapper({**cfg, 'type': 'florence.DeepSpeedOptimWrapper'}, model)

    def _fit_to_offload(self, optimizer: dict) -> dict:
        """In CPU memory Adam is updated by torch's fused kernel, which is many times faster there than the others."""
        if 'offload_optimizer' in self.config['zero_optimization'] and optimizer.get('type') in ('Adam', 'AdamW'):
            optimizer.setdefault('fused', True)
        return optimizer

    def _set_precision(self, dtype: torch.dtype, scale: str | float | dict) -> None:
        blocks = [name for name in ('bf16', 'fp16', 'torch_autocast') if self.config.get(name, {}).get('enabled')]
        if blocks:
            raise ValueError(
                f'both AmpOptimWrapper and the deepspeed block {blocks[0]!r} set the precision: leave one of them out.'
            )
        self.precision = dtype
        if dtype == torch.float16:
            options = {'init_scale': scale, 'growth_interval': 0} if isinstance(scale, int | float) else {}
            self.loss_scale = DynamicLossScale(**(dict(scale) if isinstance(scale, dict) else options))

    def _wrap_model(self, model: nn.Module) -> DeepSpeedModel:
        import deepspeed
        from deepspeed.runtime import torch_autocast

        torch_autocast.TORCH_AUTOCAST_INITIALIZED = False  # else an earlier engine of this process would decide for this one
        if self.precision is not None:
            _autocast_in_training(model, self.precision)
        batch_size = self.dispatch_kwargs.get('train_micro_batch_size_per_gpu') or 1
        engine, self.optim_wrapper.optimizer, *_ = deepspeed.initialize(
            model=model,
            optimizer=self.optim_wrapper.optimizer,
            config={**self.config, 'train_micro_batch_size_per_gpu': batch_size},
            dist_init_required=False,
        )
        engine._copy_recovery_script = lambda *_: None  # scripts of deepspeed have no business in a work dir
        return DeepSpeedModel(engine)

    def model_state_dict(self) -> dict:
        """Full fp32 weights on the CPU; every rank must call it, under ZeRO-3 the ranks put them together."""
        if not isinstance(self.model, DeepSpeedModel):
            return super().model_state_dict()
        return full_state_dict(self.model.module)

    def load_model_state_dict(self, state_dict: dict, *, strict: bool = False, revise_keys: Sequence = WITHOUT_MODULE) -> None:
        """Load full weights into the ranks' shards and into the optimizer's fp32 copies."""
        if not isinstance(self.model, DeepSpeedModel):
            return super().load_model_state_dict(state_dict, strict=strict, revise_keys=revise_keys)
        return load_full_state_dict(self.model.module, state_dict, strict=strict, revise_keys=revise_keys)

    def resume(
        self,
        filename: str,
        *,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
        callback: Callable | None = None,
    ) -> dict:
        """Take up a run from a checkpoint and the ranks' parts beside it.

        Raises:
            ValueError: If the parts are missing or belong to another number of ranks.
        """
        checkpoint = read_checkpoint(filename)
        require_states(checkpoint, ['optim_wrapper'], filename)
        saved_ranks, folder = checkpoint['meta'].get('world_size'), shards_folder(filename)
        if saved_ranks != self.world_size:
            raise ValueError(
                f'{filename} was saved by {saved_ranks} ranks and cannot be resumed by {self.world_size}: start as many, or '
                'begin from its weights with --load-from.'
            )
        if not folder.is_dir():
            raise ValueError(
                f"{filename} lacks the ranks' parts of the optimizer, expected in {folder}: copy them too, or use --load-from."
            )
        self.logger.info(f'Resume checkpoint from {filename}')
        if callback is not None:
            callback(checkpoint)
        self.model.engine.load_checkpoint(str(folder.parent), tag=folder.name, load_optimizer_states=resume_optimizer)
        if resume_optimizer:
            self.load_optim_state_dict(checkpoint.pop('optim_wrapper'))
        if resume_param_scheduler and hasattr(self, 'param_schedulers'):
            self.load_scheduler_state_dict(checkpoint.pop('param_schedulers'))
        return checkpoint

    def save_checkpoint(
        self,
        filename: str,
        *,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        extra_ckpt: dict | None = None,
        callback: Callable | None = None,
    ) -> None:
        """Write the ranks' parts to a folder, then one file with full weights beside it; every rank must call it."""
        checkpoint = self._checkpoint(save_param_scheduler, extra_ckpt or {})
        if save_optimizer and isinstance(self.model, DeepSpeedModel):
            checkpoint['optim_wrapper'] = self.optim_state_dict()
        if callback is not None:
            callback(checkpoint)
        if save_optimizer and isinstance(self.model, DeepSpeedModel):
            self._save_shards(Path(filename))
        on_main_process(lambda: save_checkpoint_file(checkpoint, filename))

    def _save_shards(self, filename: Path) -> None:
        folder = shards_folder(filename)
        partial = folder.with_name(folder.name + '.partial')

        def replace() -> None:
            filename.unlink(missing_ok=True)  # a file of that name would vouch for other parts
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)

        on_main_process(lambda: shutil.rmtree(partial, ignore_errors=True))
        self.model.engine.save_checkpoint(str(partial.parent), tag=partial.name, save_latest=False)
        on_main_process(replace)


def _autocast_in_training(model: nn.Module, dtype: torch.dtype) -> None:
    """Run the training's forward pass under autocast, inside the engine: it switches off one that is entered outside."""
    full = model.forward
    half = torch.autocast(get_device(), dtype)(full)

    def forward(*args, **kwargs):
        return (half if model.training else full)(*args, **kwargs)

    model.forward = forward  # type: ignore[method-assign]
