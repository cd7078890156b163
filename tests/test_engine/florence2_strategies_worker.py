"""One of several gloo ranks: trains adapters and new tokens of a small Florence-2 under one strategy after another.

Usage: florence2_strategies_worker.py FOLDER STRATEGY... ; FOLDER holds what `write_florence2` wrote; rank 0 writes
FOLDER/STRATEGY.json, the losses, and checkpoints lie in FOLDER/STRATEGY.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist
from tiny_training import Recorder, strategy_options

from florence.engine.config_files import load_config
from florence.engine.launch import prepare_distributed
from florence.engine.runner import StrategyRunner

CONFIG = 'configs/florence2/florence2-nano_14min_digits.py'
STEPS = 3
OPTIONS = {
    'train_cfg.max_iters': STEPS,
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'train_dataloader.batch_size': 2,
    'train_dataloader.dataset.recipe.image_size': 32,
    'param_scheduler': [],
    'optim_wrapper.optimizer.fused': None,
    'model.lora': dict(rank=2, vision=True, drop_rate=0.0),
    'model.tokenizer.new_tokens': ['<ship>'],
    'model.trained_tokens': ['new', 'locations'],
    'log_level': 'WARNING',
}


class LossRecorder(Recorder):
    """Keeps the losses alone."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        pass

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter + 1] = float(outputs['loss'])


def main() -> None:
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        cfg = load_config(CONFIG, {**OPTIONS, **strategy_options(name), 'load_from': str(folder / 'model.pth')})
        prepare_distributed(cfg, 'pytorch')
        cfg.work_dir = str(folder / name)
        runner = StrategyRunner.from_cfg(cfg)
        recorder = LossRecorder()
        runner.register_hook(recorder)
        runner.train()
        if dist.get_rank() == 0:
            (folder / f'{name}.json').write_text(json.dumps(list(recorder.losses.values())))
    dist.destroy_process_group()


if __name__ == '__main__':
    main()
