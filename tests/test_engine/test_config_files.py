"""Reading of configs: overrides are checked, typed dicts are listed with their scope."""

import pytest
from mmengine.config import Config

from florence.engine.config_files import check_overrides, iter_types, load_config, resolve_type, source_location


@pytest.fixture
def cfg():
    return Config(
        dict(
            default_scope='florence',
            size=4,
            model=dict(type='TwoTower', embed_dims=4, image_tower=dict(type='CoSwin', arch='nano')),
            train_dataloader=dict(batch_size=2, x=4, dataset=dict(pipeline=[dict(type='LoadImage'), dict(type='PackImageText')])),
            backbone=dict(_scope_='mmdet', type='ResNet', norm_cfg=dict(type='BN')),
        )
    )


@pytest.mark.parametrize(
    'key',
    [
        'model.embed_dims',
        'model.image_tower.arch',
        'model.image_tower.drop_path_rate',  # a constructor argument that the config leaves at its default
        'train_dataloader.dataset.pipeline.0.min_size',
        'train_dataloader.dataset.pipeline.1',
    ],
)
def test_overrides_that_meet_something(cfg, key):
    check_overrides(cfg, {key: 1})


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('modle.embed_dims', "Did you mean 'model'"),
        ('model.image_towr.arch', "Did you mean 'image_tower'"),
        ('train_dataloader.batchsize', "Did you mean 'batch_size'"),
        ('train_dataloader.dataset.pipeline.2.min_size', 'list of 2'),
        ('train_dataloader.dataset.pipeline.x', 'list of 2'),
        ('model.embed_dims.x', 'has no parts'),
        ('zzz', 'It has: default_scope'),
        ('model.image_tower.drop_path', "Did you mean 'drop_path_rate'"),
        ('train_dataloader.dataset.pipeline.0.minsize', "Did you mean 'min_size'"),
        ('size', r'a variable of the config file, which has used it already: override model.embed_dims, train_dataloader.x\.'),
    ],
)
def test_overrides_that_meet_nothing(cfg, key, message):
    with pytest.raises(KeyError, match=message):
        check_overrides(cfg, {key: 1})


def test_arguments_are_those_of_the_type_that_another_override_gives(cfg):
    check_overrides(cfg, {'model.image_tower.type': 'DaViT', 'model.image_tower.out_norms': True})
    with pytest.raises(KeyError, match="no 'out_norms'"):
        check_overrides(cfg, {'model.image_tower.out_norms': True})


def test_types_come_with_path_and_scope(cfg):
    assert list(iter_types(cfg, scope='florence')) == [
        ('model', 'TwoTower', 'florence'),
        ('model.image_tower', 'CoSwin', 'florence'),
        ('train_dataloader.dataset.pipeline.0', 'LoadImage', 'florence'),
        ('train_dataloader.dataset.pipeline.1', 'PackImageText', 'florence'),
        ('backbone', 'ResNet', 'mmdet'),
        ('backbone.norm_cfg', 'BN', 'mmdet'),
    ]


def test_types_resolve_by_scope_prefix_and_parent():
    assert resolve_type('CoSwin', 'florence').__module__ == 'florence.models.backbones.coswin'
    assert resolve_type('florence.CoSwin', 'mmdet') is resolve_type('CoSwin', 'florence')
    assert resolve_type('ResNet', 'mmdet').__module__.startswith('mmdet.')
    assert resolve_type('AdamW', 'florence').__module__.startswith('torch.')
    assert resolve_type(dict, None) is dict
    assert source_location(resolve_type('CoSwin', 'florence')).partition('.py:')[0].endswith('coswin')


def test_configs_of_packages_load_by_name():
    cfg = load_config('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', {'model.backbone.init_cfg': None})
    assert cfg.default_scope == 'mmdet' and cfg.model.backbone.depth == 18 and cfg.model.backbone.init_cfg is None


def test_missing_config_is_named():
    with pytest.raises(FileNotFoundError, match='none.py'):
        load_config('configs/none.py')
