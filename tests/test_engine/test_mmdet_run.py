"""A config of mmdet through our runner: told to stop within an epoch, and resumed with the losses of an uninterrupted run."""

import os
import signal

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook

from florence.engine.runner import StrategyRunner

BASES = ('models/retinanet_r50_fpn.py', 'datasets/coco_detection.py', 'default_runtime.py', 'schedules/schedule_1x.py')
STOP_AT = 4


class Losses(Hook):
    def __init__(self, stop_at=None):
        self.losses, self.stop_at = {}, stop_at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter + 1] = float(outputs['loss'])
        if runner.iter + 1 == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)


def config(data, work_dir, **options):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(96, 72), keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]
    text = '_base_ = ' + repr([f'mmdet::_base_/{base}' for base in BASES])
    (work_dir.parent / 'bccd.py').write_text(text)
    cfg = Config.fromfile(work_dir.parent / 'bccd.py')
    cfg.merge_from_dict(
        {
            'default_scope': 'mmdet',
            'model.backbone': dict(depth=18, init_cfg=None, frozen_stages=-1),
            'model.neck': dict(in_channels=[64, 128, 256, 512], out_channels=16),
            'model.bbox_head': dict(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1),
            'train_dataloader': dict(batch_size=2, num_workers=0, persistent_workers=False),
            'train_dataloader.dataset': dict(
                data_root=f'{data}/',
                ann_file='instances_coco.json',
                data_prefix=dict(img='images/'),
                metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
                pipeline=pipeline,
                indices=6,
            ),
            'randomness': dict(seed=1),
            'work_dir': str(work_dir),
            **options,
        }
    )
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
    for part in ('val', 'test'):
        for name in ('dataloader', 'evaluator', 'cfg'):
            cfg[f'{part}_{name}'] = None
    return cfg


def test_stopped_within_an_epoch_and_resumed(test_data, tmp_path):
    def run(name, stop_at=None, **options):
        runner = StrategyRunner.from_cfg(config(test_data / 'det_bccd', tmp_path / name, **options))
        hook = Losses(stop_at)
        runner.register_hook(hook)
        if stop_at is None:
            runner.train()
        else:
            with pytest.raises(SystemExit) as stopped:
                runner.train()
            assert stopped.value.code == 128 + signal.SIGTERM
        return hook.losses

    whole = run('whole')
    assert sorted(whole) == [1, 2, 3, 4, 5, 6]
    first = run('stopped', stop_at=STOP_AT)
    assert first == {iteration: whole[iteration] for iteration in range(1, STOP_AT + 1)}
    assert (tmp_path / 'stopped' / f'iter_{STOP_AT}.pth').is_file()
    rest = run('stopped', resume=True)
    assert rest == {5: whole[5], 6: whole[6]}, 'the second image of the second epoch comes next, flipped as before'
