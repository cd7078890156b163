"""A config of mmaction2 through our tools' path, unchanged but for data and sizes: trained, stopped, resumed, tested."""

import os
import signal

import numpy as np
import pytest
from mmengine.hooks import Hook

from florence.engine.config_files import load_config
from florence.engine.launch import build_runner, use_checkpoint

CONFIG = 'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py'
STOP_AT = 4


class Losses(Hook):
    def __init__(self, stop_at=None):
        self.losses, self.stop_at = {}, stop_at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter + 1] = float(outputs['loss'].detach())
        if runner.iter + 1 == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)


def write_video(path, level):
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        rng = np.random.default_rng(level)
        for _ in range(12):
            frame = np.clip(rng.normal(level, 20, (48, 64, 3)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Six dark and bright videos of two classes with mmaction's list of them."""
    folder = tmp_path_factory.mktemp('videos')
    lines = []
    for number in range(6):
        write_video(folder / f'{number}.mp4', 50 + 130 * (number % 2) + number)
        lines.append(f'{number}.mp4 {number % 2}')
    (folder / 'list.txt').write_text('\n'.join(lines))
    return folder


def config(videos, work_dir):
    options = {
        # Two of the four stages: enough to learn from, and small checkpoints.
        'model.backbone': dict(
            depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,), pretrained=None, norm_eval=False
        ),
        'model.cls_head.num_classes': 2,
        'model.cls_head.in_channels': 128,
        'train_cfg.max_epochs': 2,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.logger.interval': 1,
        'train_dataloader.dataset.pipeline.5.scale': (32, 32),
    }
    for part in ('train', 'val', 'test'):
        loader = f'{part}_dataloader'
        options |= {
            f'{loader}.batch_size': 2,
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
            f'{loader}.dataset.ann_file': str(videos / 'list.txt'),
            f'{loader}.dataset.data_prefix': dict(video=str(videos)),
            # decord is optional: PyAV reads the same frames.
            f'{loader}.dataset.pipeline.0.type': 'PyAVInit',
            f'{loader}.dataset.pipeline.2.type': 'PyAVDecode',
            f'{loader}.dataset.pipeline.3.scale': (-1, 40),
        }
    for part in ('val', 'test'):
        options |= {f'{part}_dataloader.dataset.pipeline.4.crop_size': 32}
    options['test_dataloader.dataset.pipeline.1.num_clips'] = 2
    cfg = load_config(CONFIG, options)
    assert cfg.default_scope == 'mmaction'
    cfg.randomness = dict(seed=3)
    cfg.work_dir = str(work_dir)
    return cfg


def train(cfg, stop_at=None, resume=None):
    use_checkpoint(cfg, resume, None)
    runner = build_runner(cfg)
    hook = Losses(stop_at)
    runner.register_hook(hook)
    if stop_at is None:
        runner.train()
    else:
        with pytest.raises(SystemExit) as stopped:
            runner.train()
        assert stopped.value.code == 128 + signal.SIGTERM
    return hook.losses, runner


def test_a_packaged_config_trains_stops_resumes_and_tests(videos, tmp_path):
    whole, runner = train(config(videos, tmp_path / 'whole'))
    assert sorted(whole) == [1, 2, 3, 4, 5, 6]
    validated = runner.message_hub.get_scalar('val/acc/top1').current()
    assert 0 <= validated <= 1

    first, _ = train(config(videos, tmp_path / 'stopped'), stop_at=STOP_AT)
    assert first == {iteration: whole[iteration] for iteration in range(1, STOP_AT + 1)}
    rest, _ = train(config(videos, tmp_path / 'stopped'), resume='auto')
    assert rest == {5: whole[5], 6: whole[6]}, 'the rest of the second epoch comes next, cropped and flipped as before'

    cfg = config(videos, tmp_path / 'tested')
    cfg.test_dataloader = cfg.val_dataloader
    cfg.load_from = str(tmp_path / 'whole' / 'epoch_2.pth')
    assert build_runner(cfg).test()['acc/top1'] == validated


def test_multi_view_testing(videos, tmp_path):
    """Ten crops of two frames of each video, as the config's own test pipeline makes them."""
    cfg = config(videos, tmp_path)
    runner = build_runner(cfg)
    batch = next(iter(runner.build_dataloader(cfg.test_dataloader)))
    assert [tuple(views.shape) for views in batch['inputs']] == [(20, 3, 32, 32)] * 2
    assert runner.test().keys() == {'acc/top1', 'acc/top5', 'acc/mean1'}
