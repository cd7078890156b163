"""The visual report on real blood cells with made-up detections, and from a checkpoint."""

import json
import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from odinw_files import write_split
from PIL import Image

from florence.apis.detection_report import make_detection_report
from florence.registry import MODELS

NUM_IMAGES = 6


@pytest.fixture
def cells(test_data, tmp_path):
    """Annotation file of six images, and the config whose test set they are."""
    ann_file = write_split(tmp_path / 'cells', '', NUM_IMAGES, test_data, group=False)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(96, 72), keep_ratio=True),
        dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor')),
    ]
    dataset = dict(
        type='florence.CocoDetection', ann_file=str(ann_file), img_prefix=str(ann_file.parent), test_mode=True, pipeline=pipeline
    )
    loader = dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dataset)
    cfg = dict(
        default_scope='mmdet',
        test_dataloader=loader,
        test_evaluator=dict(type='florence.CocoDetectionMetric', ann_file=str(ann_file)),
        test_cfg=dict(type='TestLoop'),
    )
    Config(cfg).dump(tmp_path / 'cells.py')
    return json.loads(ann_file.read_text()), tmp_path / 'cells.py'


def detections(content, spoiled):
    """Every object, sure; those of the spoiled images lie elsewhere."""
    return [
        {
            'image_id': each['image_id'],
            'category_id': each['category_id'],
            'bbox': [each['bbox'][0] + 2000 * (each['image_id'] in spoiled), *each['bbox'][1:]],
            'score': 0.9,
        }
        for each in content['annotations']
    ]


def test_report_of_detections(cells, tmp_path):
    content, config = cells
    ids = [image['id'] for image in content['images']]
    spoiled = ids[1:3]
    (tmp_path / 'found.json').write_text(json.dumps(detections(content, spoiled)))
    report = make_detection_report(Config.fromfile(config), str(tmp_path / 'found.json'), str(tmp_path / 'out'), num_images=4)
    objects = [each['image_id'] for each in content['annotations']]
    missed = sum(image in spoiled for image in objects)
    assert report['errors'] == dict.fromkeys(report['errors'], 0) | {
        'correct': len(objects) - missed, 'background': missed, 'missed': missed
    }  # fmt: skip
    assert report['f1'] == pytest.approx(1 - missed / len(objects)) and report['score_threshold'] == 0.9
    assert {entry['img_id'] for entry in report['images']['worst']} == set(spoiled)
    assert [entry['f1'] for entry in report['images']['best']] == [1.0, 1.0]
    assert sum(row['num_objects'] for row in report['classes']) == len(objects)
    assert {row['name'] for row in report['classes']} == {'Platelets', 'RBC', 'WBC'}
    assert json.loads((tmp_path / 'out/report.json').read_text())['f1'] == report['f1']
    page = (tmp_path / 'out/index.html').read_text()
    for file in ('pr_curves.png', *(entry['picture'] for name in ('worst', 'best') for entry in report['images'][name])):
        assert f'src="{file}"' in page
        with Image.open(tmp_path / 'out' / file) as picture:
            assert np.asarray(picture).std() > 10


def test_boxes_below_the_threshold_are_left_out(cells, tmp_path):
    content, config = cells
    found = detections(content, [])
    found[0]['score'] = 0.1
    (tmp_path / 'found.json').write_text(json.dumps(found))
    report = make_detection_report(
        Config.fromfile(config), str(tmp_path / 'found.json'), str(tmp_path / 'out'), num_images=1, score_threshold=0.5
    )
    assert report['errors']['missed'] == 1 and report['num_detections'] == len(found)


def test_report_of_a_checkpoint_through_the_tool(cells, repo_root, tmp_path, monkeypatch, capsys):
    content, config = cells
    model = dict(
        type='mmdet.RetinaNet',
        data_preprocessor=dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=32),
        backbone=dict(type='mmdet.ResNet', depth=18),
        neck=dict(type='mmdet.FPN', in_channels=[64, 128, 256, 512], out_channels=16, num_outs=4),
        bbox_head=dict(type='mmdet.RetinaHead', num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1),
        test_cfg=dict(nms_pre=50, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5, min_bbox_size=0),
    )
    anchors = dict(type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[4, 8, 16, 32])
    model['bbox_head']['anchor_generator'] = anchors
    with DefaultScope.overwrite_default_scope('mmdet'):
        weights = MODELS.build(Config(dict(model=model)).model).state_dict()
    torch.save({'state_dict': weights}, tmp_path / 'model.pth')
    cfg = Config.fromfile(config)
    cfg.model = model
    # What a training starts from need not be there when its result is evaluated.
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='gone.pth')
    cfg.dump(tmp_path / 'whole.py')
    arguments = [tmp_path / 'whole.py', tmp_path / 'model.pth', '--out', tmp_path / 'out', '--images', '2']
    monkeypatch.setattr(sys, 'argv', ['detection_report.py', *map(str, arguments)])
    runpy.run_path(str(repo_root / 'tools/analysis_tools/detection_report.py'), run_name='__main__')
    report = json.loads((tmp_path / 'out/report.json').read_text())
    found = json.loads((tmp_path / 'out/predictions.bbox.json').read_text())
    assert report['num_images'] == NUM_IMAGES and report['num_detections'] == len(found) > 0
    assert (tmp_path / 'out/index.html').is_file() and 'errors:' in capsys.readouterr().out
    torch.save({'state_dict': {name: value for name, value in weights.items() if 'bbox_head' not in name}}, tmp_path / 'less.pth')
    with pytest.raises(ValueError, match='does not fit this model: .*bbox_head'):
        make_detection_report(cfg, str(tmp_path / 'less.pth'), str(tmp_path / 'less'))


def test_faults_are_named(cells, tmp_path):
    content, config = cells
    cfg = Config.fromfile(config)
    with pytest.raises(FileNotFoundError, match="no checkpoint and no detections at 'none.pth'"):
        make_detection_report(cfg, 'none.pth', str(tmp_path / 'out'))
    found = detections(content, [])
    for change, message in (({'image_id': 9999}, '1 images of the detections are not'), ({'category_id': 77}, 'has category 77')):
        (tmp_path / 'found.json').write_text(json.dumps([{**found[0], **change}]))
        with pytest.raises(ValueError, match=message):
            make_detection_report(cfg, str(tmp_path / 'found.json'), str(tmp_path / 'out'))
    for options in ({'num_images': -3}, {'score_threshold': float('nan')}):
        with pytest.raises(ValueError, match='expected 0 or more images and a finite score'):
            make_detection_report(cfg, str(tmp_path / 'found.json'), str(tmp_path / 'out'), **options)
    (tmp_path / 'found.json').write_text('[{"image_id": 1}]')
    with pytest.raises(ValueError, match='entry 0 is no detection with image_id'):
        make_detection_report(cfg, str(tmp_path / 'found.json'), str(tmp_path / 'out'))
    wrapped = Config.fromfile(config)
    wrapped.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[wrapped.test_dataloader.dataset])
    with pytest.raises(ValueError, match=r'wraps others \(ConcatDataset\)'):
        make_detection_report(wrapped, str(tmp_path / 'found.json'), str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()
