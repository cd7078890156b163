"""The recipes, shrunk: steps of their own training on folders as ADE20K's, and their own evaluation."""

import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from florence.engine.config_files import load_config
from florence.engine.runner import StrategyRunner

TINY = dict(_delete_=True, embed_dims=(8, 16, 24, 32), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4)
HEADS = {f'model.{head}.{key}': value for head in ('decode_head', 'auxiliary_head')
         for key, value in (('channels', 8), ('norm_cfg', dict(type='BN')))}  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Grey squares, the first class, on white, the second one; the rim of the image has none."""
    root = tmp_path_factory.mktemp('ade')
    for split, number in (('training', 4), ('validation', 2)):
        for kind in ('images', 'annotations'):
            (root / kind / split).mkdir(parents=True)
        for index in range(number):
            image, mask = np.full((64, 96, 3), 255, np.uint8), np.full((64, 96), 2, np.uint8)
            place = (slice(16, 48), slice(8 * index + 8, 8 * index + 40))
            image[place], mask[place] = 60, 1
            mask[:4] = 0
            Image.fromarray(image).save(root / f'images/{split}/{index}.jpg')
            Image.fromarray(mask).save(root / f'annotations/{split}/{index}.png')
    return root


def shrunk(name, folder, work_dir):
    options = {
        **HEADS,
        'model.backbone.arch': TINY,
        'model.backbone.init_cfg': None,
        'train_cfg.max_iters': 3,
        'train_cfg.val_interval': 3,
        'default_hooks.logger.interval': 1,
    }
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        options |= {f'{loader}.num_workers': 0, f'{loader}.batch_size': 2}
        if 'ade20k' in name:
            options |= {f'{loader}.persistent_workers': False, f'{loader}.dataset.data_root': f'{folder}/'}
        elif not loader.startswith('train'):
            options |= {f'{loader}.dataset.num_scenes': 4}
    cfg = load_config(f'configs/davit/{name}.py', options)
    cfg.work_dir, cfg.log_level = str(work_dir), 'WARNING'
    if 'ade20k' in name:  # files of ADE20K's size would take minutes
        pipeline = cfg.train_dataloader.dataset.pipeline
        pipeline[2].scale, pipeline[3].crop_size, pipeline[6].size = (128, 64), (48, 48), (48, 48)
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.pipeline[1].scale, loader.batch_size = (128, 32), 1
        cfg.param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
        cfg.optim_wrapper.optimizer.lr = 1e-3
    return cfg


@pytest.mark.parametrize('name', ['upernet_davit-florence2-b_512-40k_ade20k', 'upernet_davit-nano_3min_digits'])
@pytest.mark.parametrize('frozen_stages', [-1, 2])
def test_trains_and_is_evaluated(name, frozen_stages, folder, tmp_path):
    cfg = shrunk(name, folder, tmp_path)
    cfg.model.backbone.frozen_stages = frozen_stages
    runner = StrategyRunner.from_cfg(cfg)
    runner.train()
    frozen = {key for key, value in runner.model.named_parameters() if not value.requires_grad}
    stages = {key.split('.')[2] for key in frozen if key.startswith('backbone.stages')}
    assert stages == ({'0', '1'} if frozen_stages == 2 else set())
    figures = runner.val_loop.run()
    assert set(figures) == {'mIoU', 'mAcc', 'aAcc'} and 0 <= figures['mIoU'] <= 100
    classes = runner.val_loop.evaluator.metrics[0].dataset_meta['classes']
    assert classes[:2] == (('wall', 'building') if 'ade20k' in name else ('ground', 'zero'))


def test_masks_lose_their_zero(folder, tmp_path):
    cfg = shrunk('upernet_davit-florence2-b_512-40k_ade20k', folder, tmp_path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
    sample = dataset[1]['data_samples']
    mask = np.asarray(Image.open(folder / 'annotations/validation/1.png')).astype(int) - 1
    assert np.array_equal(sample.gt_sem_seg.sem_seg[0].numpy(), np.where(mask < 0, 255, mask))
    assert sample.img_shape == (32, 48) and sample.ori_shape == (64, 96)
