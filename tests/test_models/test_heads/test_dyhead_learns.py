"""Dynamic Head in mmdet's ATSS on CoSwin learns, in seconds and from random weights, to find the digits of unseen scenes."""

from conftest import REPO_ROOT

from florence.engine.config_files import load_config
from florence.engine.launch import build_runner


def test_digits_of_held_out_scans_are_found(tmp_path):
    cfg = load_config(str(REPO_ROOT / 'tests/configs/tiny_atss_dyhead.py'))
    cfg.work_dir = str(tmp_path)
    cfg.vis_backends = [dict(type='LocalVisBackend')]
    cfg.visualizer.vis_backends = cfg.vis_backends
    runner = build_runner(cfg)
    runner.train()
    losses = [float(value) for value in runner.message_hub.get_scalar('train/loss').data[0]]
    assert sum(losses[-20:]) < 0.75 * sum(losses[:20])
    figures = {name: runner.message_hub.get_scalar(f'val/coco/{name}').current() for name in ('bbox_mAP_50', 'bbox_AR@10')}
    assert figures['bbox_mAP_50'] > 0.12, 'random weights give 0.00'
    assert figures['bbox_AR@10'] > 0.3
