"""The recipes that mix our parts with mmdet's, shrunk: each takes two steps of its own training, gives every parameter a gradient
in each, and is evaluated by its own metric."""

import json
import math

import numpy as np
import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from mmengine.hooks import Hook
from PIL import Image

from florence.engine.config_files import load_config
from florence.engine.launch import use_test_time_augmentation
from florence.engine.runner import StrategyRunner
from florence.models.backbones.coswin_archs import ARCHS

CLASSES = ('cat', 'dog', 'owl')
TINY = dict(embed_dims=(8, 16, 24, 32), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4)
PATHS = dict(img_prefix='', data_prefix=dict(img=''), ann_file='ann.json')
SIZES = {
    'CoSwin': dict(arch=TINY, window_size=None, drop_path_rate=0.0, init_cfg=None),
    'DaViT': dict(arch=TINY, init_cfg=None),
    'SwinTransformer': dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], init_cfg=None, convert_weights=False),
    'ResNet': dict(depth=18, base_channels=16, init_cfg=None),
    'DyHead': dict(num_blocks=1),
    'TwoTower': dict(embed_dims=16, init_cfg=None),
    'TextTransformer': dict(arch=None, vocab_size=49408, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=32),
    'ATSS': dict(init_cfg=None),
    'DINO': dict(num_queries=20),
    'DINOHead': dict(embed_dims=32),
    'AttributeHead': dict(in_channels=32, num_attributes=1),
    'VocabularyDetector': dict(vocabulary_size=2),
    'CropRegionEncoder': dict(image_size=32),
}
NUMBERS = dict(num_layers=1, num_dn_queries=4, fc_out_channels=16, max_per_img=20, feedforward_channels=32, num_feats=16)
CHANNELS = ('in_channels', 'out_channels', 'feat_channels', 'conv_out_channels', 'embed_dims')


class Witness(Hook):
    """Notes losses, and which parameters get a gradient at each step."""

    def __init__(self):
        self.losses, self.missed = [], []

    def before_train(self, runner):
        self.trainable = {name: each for name, each in runner.model.named_parameters() if each.requires_grad}
        for name, parameter in self.trainable.items():
            parameter.register_post_accumulate_grad_hook(lambda _, name=name: self.missed[-1].discard(name))

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.missed.append(set(self.trainable))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(float(outputs['loss']))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Four images of two boxes each, in COCO's form, with what LVIS, a merged FLOD and Visual Genome write beside it."""
    root = tmp_path_factory.mktemp('set')
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, 5):
        Image.fromarray(rng.integers(0, 255, (96, 128, 3), np.uint8)).save(root / f'{number}.jpg')
        images.append(
            dict(id=number, file_name=f'{number}.jpg', coco_url=f'http://x/{number}.jpg', width=128, height=96)
            | dict(neg_category_ids=[3], not_exhaustive_category_ids=[], source='lvis' if number % 2 else 'coco')
        )
        for place in range(2):
            x, y, side = 8 + 56 * place, 16, 48
            annotations.append(
                dict(id=len(annotations) + 1, image_id=number, category_id=(number + place) % 3 + 1, bbox=[x, y, side, side])
                | dict(area=side * side, iscrowd=0, segmentation=[[x, y, x + side, y, x + side, y + side]], attributes=[1])
            )
    categories = [dict(id=place, name=name, frequency='f', image_count=2) for place, name in enumerate(CLASSES, 1)]
    sources = [dict(name=name, category_ids=[1, 2, 3]) for name in ('coco', 'lvis', 'openimages', 'imagenet22k')]
    content = dict(images=images, annotations=annotations, categories=categories, attributes=[dict(id=1, name='red')])
    (root / 'ann.json').write_text(json.dumps(dict(content, sources=sources)))
    torch.save(dict(names=list(CLASSES), embeds=torch.randn(3, 16)), root / 'names.pth')
    return root


def shrink(node, folder, widths):
    """Change sizes, paths and counts of classes wherever they stand.

    Args:
        node: A part of a config.
        folder: The small set.
        widths: Channels of a map -> those of the small backbone.
    """
    if isinstance(node, list | tuple):
        for child in node:
            shrink(child, folder, widths)
    if not isinstance(node, dict):
        return
    kind = str(node.get('type', '')).rpartition('.')[2]
    changes = dict(SIZES.get(kind, {}))
    if kind in ('FPN', 'ChannelMapper'):
        changes['in_channels'] = [widths[width] for width in node['in_channels']]
    if kind.startswith('Coco') or kind.startswith('LVIS') or kind.startswith('Visual'):
        changes |= {key: value for key, value in PATHS.items() if key in node}
        changes |= dict(data_root=f'{folder}/') if 'data_root' in node else {}
        if kind.endswith('Metric') and 'ann_file' in node:
            changes['ann_file'] = str(folder / 'ann.json')
        if kind in ('CocoDataset', 'LVISV1Dataset'):
            changes['metainfo'] = dict(classes=CLASSES)
    if 'num_classes' in node and kind not in ('RPNHead', 'CoSwin') and node['num_classes'] > 1:
        changes['num_classes'] = len(CLASSES)
    if 'scale' in node:
        changes['scale'] = [(128, 64), (128, 96)] if isinstance(node['scale'][0], list | tuple) else (128, 96)
    if kind == 'RandomChoiceResize':
        changes['scales'] = [(64, 128), (96, 128)]
    if 'num_workers' in node:
        changes |= dict(num_workers=0, persistent_workers=False)
    changes |= {key: value for key, value in NUMBERS.items() if key in node}
    changes |= {key: 32 for key in CHANNELS if node.get(key) == 256}
    node.update(changes)
    for child in node.values():
        shrink(child, folder, widths)


def shrunk(name, folder, work_dir):
    """The config of two steps on the small set."""
    cfg = load_config(str(REPO_ROOT / 'configs' / f'{name}.py'))
    text = str(cfg.model)
    arch = next((arch for arch in ('tiny', 'base', 'huge') if f"{arch}'" in text), None)
    widths = dict(zip(ARCHS[arch]['embed_dims'], TINY['embed_dims'])) if arch else {}
    if 'ResNet' in text:
        widths = {256: 16, 512: 32, 1024: 64, 2048: 128}
    if 'SwinTransformer' in text:
        widths = {192: 16, 384: 32, 768: 64}
    for part in ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'tta_pipeline'):
        shrink(cfg.get(part), folder, widths)
    if 'name_embeddings' in cfg.model:
        cfg.model.name_embeddings = str(folder / 'names.pth')
        # As in the recipe, the labels of the evaluation are others than those of the training.
        cfg.val_dataloader.dataset.classes = ['owl', 'cat']
    if cfg.train_cfg.get('max_epochs'):
        cfg.train_dataloader.batch_size = 2
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
    else:
        cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.update(work_dir=str(work_dir), load_from=None, log_level='WARNING', vis_backends=[], visualizer=None)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    return cfg


RECIPES = (
    'dyhead/atss-dyhead6_coswin-t_1x_coco',
    'dyhead/atss-dyhead6_r50_1x_coco',
    'dyhead/atss-dyhead6_swin-t_2x-ms_coco',
    'dyhead/atss-dyhead8_coswin-h_12e-2500_coco',
    'dyhead/atss-dyhead8_coswin-h_12e-1333_objects365',
    'dyhead/atss-dyhead8_coswin-h_24e_lvis',
    'dyhead/attributes-dyhead8_coswin-h_24e-3000_vg',
    'dyhead/retinanet-dyhead6_r50_1x_coco',
    'dyhead/faster-rcnn-dyhead6_r50_1x_coco',
    'dyhead/mask-rcnn_coswin-t_1x_coco',
    'dyhead/cascade-mask-rcnn_coswin-b_3x-ms_coco',
    'dyhead/dino-4scale_coswin-t_12e_coco',
    'davit/mask-rcnn_davit-t_1x_coco',
    'davit/mask-rcnn_davit-florence2-b_1x_coco',
    'davit/dino-4scale_davit-florence2-b_12e_coco',
    'dyhead/soft-teacher_faster-rcnn-dyhead6_coswin-t_180k_coco-10pct',
    'zero_shot_detection/vocabulary-dyhead8_coswin-h_12e_flod9m',
    'zero_shot_detection/zsd-dyhead8_coswin-h_12e_flod9m',
)


@pytest.mark.parametrize('name', RECIPES, ids=lambda name: name.partition('/')[2])
def test_trains_and_is_evaluated(name, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: str(cfg)))  # laying it out takes longer than two steps
    cfg = shrunk(name, folder, tmp_path)
    runner = StrategyRunner.from_cfg(cfg)
    witness = Witness()
    runner.register_hook(witness)
    runner.train()
    assert len(witness.losses) == 2 and all(map(math.isfinite, witness.losses))
    assert witness.missed == [set(), set()], 'parameters without a gradient stop a run on several GPUs'
    best = cfg.default_hooks.checkpoint.get('save_best')
    assert best is None or list(tmp_path.glob('best_*')), f'no figure {best} came out of the validation'


def test_is_evaluated_on_its_views(folder, tmp_path):
    cfg = shrunk('dyhead/atss-dyhead8_coswin-h_24e_lvis', folder, tmp_path)
    cfg.update(test_dataloader=cfg.val_dataloader, test_evaluator=cfg.val_evaluator, test_cfg=dict(type='TestLoop'))
    use_test_time_augmentation(cfg)
    figures = StrategyRunner.from_cfg(cfg).test()
    assert 0 <= figures['lvis/bbox_AP'] <= 1


def test_a_head_of_another_size_is_refused_before_the_first_step(folder, tmp_path):
    cfg = shrunk('dyhead/atss-dyhead6_coswin-t_1x_coco', folder, tmp_path)
    cfg.model.bbox_head.num_classes = 2
    with pytest.raises(ValueError, match='bbox_head has num_classes=2, but the data set has 3 classes .*: set num_classes=3'):
        StrategyRunner.from_cfg(cfg).train()
    cfg.test_dataloader, cfg.test_evaluator, cfg.test_cfg = cfg.val_dataloader, cfg.val_evaluator, dict(type='TestLoop')
    with pytest.raises(ValueError, match='bbox_head has num_classes=2'):
        StrategyRunner.from_cfg(cfg).test()


def test_names_in_another_order_are_refused(folder, tmp_path):
    cfg = shrunk('zero_shot_detection/vocabulary-dyhead8_coswin-h_12e_flod9m', folder, tmp_path)
    cfg.train_dataloader.dataset.classes = ['cat', 'owl', 'dog']
    with pytest.raises(ValueError, match="label 1 is 'owl' there and 'dog' here: write the embeddings"):
        StrategyRunner.from_cfg(cfg).train()
