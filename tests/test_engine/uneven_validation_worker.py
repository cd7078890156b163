"""One of two gloo ranks: trains the tiny model and validates between, where the ranks take different numbers of steps.

Usage: uneven_validation_worker.py FOLDER STRATEGY... ; rank 0 writes FOLDER/STRATEGY.json, losses and metrics, and checkpoints
lie in FOLDER/STRATEGY.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from tiny_training import strategy_options, tiny_config, train

from florence.models.two_tower import TwoTower
from florence.registry import HOOKS, METRICS, MODELS

RECIPE = dict(image_size=32)
OPTIONS = {
    'model.type': 'UnevenTwoTower',
    'model.image_tower.drop_path_rate': 0.2,
    'train_cfg': dict(max_iters=6, val_interval=3),
    'default_hooks.checkpoint': dict(interval=3, save_best='mean', rule='less'),
    'val_cfg': {},
    'val_evaluator': dict(type='MeanEmbedding'),
    'val_dataloader': dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
        dataset=dict(
            type='DigitScenePairs',
            num_scenes=5,  # three of them, two batches, for the first rank; two, one batch, for the second
            split='test',
            recipe=RECIPE,
            granularity_probs=dict(short=1.0),
            pipeline=[dict(type='PackImageText')],
        ),
    ),
}


@MODELS.register_module()
class UnevenTwoTower(TwoTower):
    """Takes as many steps more as its rank says, as a search for an answer would."""

    def predict(self, inputs, data_samples):
        for _ in range(dist.get_rank()):
            self.encode_inputs(inputs, data_samples)
        return super().predict(inputs, data_samples)


@METRICS.register_module()
class MeanEmbedding(BaseMetric):
    """Mean of the embeddings' parts in the order of their axis, which every weight has a part in."""

    def process(self, data_batch, data_samples):
        self.results += [sample['image_embeds'].float().cpu() for sample in data_samples]

    def compute_metrics(self, results):
        return {'mean': float(sum(embeds[: len(embeds) // 2].sum() for embeds in results)), 'samples': len(results)}


@HOOKS.register_module()
class MetricRecorder(Hook):
    """Keeps the metrics of each validation."""

    def __init__(self):
        self.metrics = []

    def after_val_epoch(self, runner, metrics=None):
        self.metrics.append(metrics)


def main() -> None:
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        cfg = tiny_config(folder / name, strategy_options(name), launcher='pytorch', ranks=2)
        cfg.merge_from_dict(OPTIONS)
        cfg.custom_hooks.append(dict(type='MetricRecorder'))
        runner, recorder = train(cfg)
        runner.val()  # after a checkpoint was saved
        metrics = next(hook.metrics for hook in runner.hooks if isinstance(hook, MetricRecorder))
        if dist.get_rank() == 0:
            result = {'losses': list(recorder.losses.values()), 'metrics': metrics}
            (folder / f'{name}.json').write_text(json.dumps(result))
    dist.destroy_process_group()


if __name__ == '__main__':
    main()
