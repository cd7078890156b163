"""Running a detector over the sets of ODinW: real blood cells as Roboflow exports them, detectors small enough for a test."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from odinw_files import write_bccd, write_split

from florence.apis.odinw import OdinwRun, run_odinw
from florence.apis.odinw_config import use_classes, without_placeholders
from florence.tasks.odinw import SETS, sets_of
from florence.tasks.odinw_folders import find_split

TINY_ZERO_SHOT = Path(__file__).parents[1] / 'test_models' / 'test_detectors' / 'tiny_zero_shot.py'
PACK = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
RESIZE = dict(type='Resize', scale=(96, 72), keep_ratio=True)
TEST_DATA = dict(
    test_dataloader=dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        # The reader of image files is missing, as for data sets that render their images.
        dataset=dict(type='florence.DigitSceneDetection', pipeline=[RESIZE, dict(type='LoadAnnotations', with_bbox=True), PACK]),
    ),
    test_evaluator=dict(type='florence.CocoDetectionMetric'),
    test_cfg=dict(type='TestLoop'),
    default_scope='mmdet',
)


@pytest.fixture
def root(test_data, tmp_path):
    write_bccd(tmp_path / 'sets', test_data)
    return tmp_path / 'sets'


@pytest.fixture
def zero_shot(tmp_path):
    """Config and checkpoint of an untrained zero-shot detector, with a trained tokenizer."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location('tiny_zero_shot', TINY_ZERO_SHOT)
    tiny = module_from_spec(spec)
    spec.loader.exec_module(tiny)
    Config({'model': {**tiny.DETECTOR, 'score_fusion': dict(type='florence.ScoreFusion')}, **TEST_DATA}).dump(tmp_path / 'zsd.py')
    torch.save({'state_dict': tiny.detector().state_dict()}, tmp_path / 'zsd.pth')
    return str(tmp_path / 'zsd.py'), str(tmp_path / 'zsd.pth')


@pytest.fixture
def atss(tmp_path):
    """Config of an ATSS on a tiny CoSwin that trains for two iterations; its classes are others than those of the sets."""
    arch = dict(embed_dims=(8, 16, 16, 24), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4)
    model = dict(
        type='ATSS',
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, pad_size_divisor=32),
        backbone=dict(type='florence.CoSwin', arch=arch, out_indices=(1, 2, 3)),
        neck=dict(type='FPN', in_channels=[16, 16, 24], out_channels=32, num_outs=3),
        bbox_head=dict(
            type='ATSSHead',
            num_classes=80,
            in_channels=32,
            feat_channels=32,
            stacked_convs=0,
            anchor_generator=dict(
                type='AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=[8, 16, 32]
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        ),
        train_cfg=dict(assigner=dict(type='ATSSAssigner', topk=4), allowed_border=-1, pos_weight=-1),
        test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.6), max_per_img=20),
    )
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='InfiniteSampler', shuffle=True),
        dataset=dict(
            type='RepeatDataset',
            times=2,
            dataset=dict(
                type='CocoDataset',
                ann_file='none.json',
                pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), RESIZE, PACK],
            ),
        ),
    )
    training = dict(
        train_dataloader=loader,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=2, val_interval=1),
        val_dataloader=TEST_DATA['test_dataloader'],
        val_evaluator=TEST_DATA['test_evaluator'],
        val_cfg=dict(type='ValLoop'),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False, save_best='coco/bbox_mAP')),
    )
    Config({'model': model, **training, **TEST_DATA}).dump(tmp_path / 'atss.py')
    return str(tmp_path / 'atss.py')


def only_row(table):
    assert [row['set'] for row in table['rows'] if row['AP'] is not None] == ['BCCD'] and table['num_found'] == 1
    return next(row for row in table['rows'] if row['set'] == 'BCCD')


def test_zero_shot(root, zero_shot, tmp_path):
    config, checkpoint = zero_shot
    table = run_odinw(OdinwRun(str(root), config, checkpoint, 'florence11', str(tmp_path / 'out')))
    row = only_row(table)
    assert (row['num_images'], row['published'], table['mean']) == (4, 15.3, None)
    assert set(row['classes']) == {'Platelets', 'RBC', 'WBC'}
    assert row['prompts'] == {'Platelets': 'platelet', 'RBC': 'red blood cell', 'WBC': 'white blood cell'}
    assert len(table['missing']) == 10
    assert table['settings']['prompt_set'] == 'readable' and table['settings']['split'] == 'test'
    assert table['settings']['scoring'] == {'score_fusion': {'type': 'florence.ScoreFusion'}}
    written = json.loads((tmp_path / 'out/odinw.json').read_text())
    assert written['num_found'] == 1 and '| BCCD |' in (tmp_path / 'out/odinw.md').read_text()
    records = json.loads((tmp_path / 'out/submission.json').read_text())['BCCD']
    images = json.loads((root / 'BCCD/BCCD.v3-raw.coco/test/_annotations.coco.json').read_text())['images']
    assert {record['image_id'] for record in records} == {image['id'] for image in images}
    assert {record['category_id'] for record in records} <= {1, 2, 3}, 'ids of the file, not labels'
    # The images are 640 x 480 and were shown at 96 x 72.
    assert max(record['bbox'][0] + record['bbox'][2] for record in records) > 96


def test_full_training(root, atss, tmp_path):
    table = run_odinw(OdinwRun(str(root), atss, None, 'florence11', str(tmp_path / 'out'), mode='full'))
    assert 0 <= only_row(table)['AP'] <= 100
    checkpoint = torch.load(tmp_path / 'out/BCCD/training/iter_2.pth', weights_only=False)
    assert checkpoint['state_dict']['bbox_head.atss_cls.weight'].shape[0] == 3, 'the head has the classes of the set'


def test_few_shot_from_files_and_drawn(root, atss, test_data, tmp_path):
    write_split(root / 'BCCD/BCCD.v3-raw.coco', 'train', 2, test_data, 'fewshot_train_shot1_seed30.json')
    run = OdinwRun(str(root), atss, None, 'florence11', str(tmp_path / 'out'), mode='few-shot', shots=1)
    row = only_row(run_odinw(run))
    assert row['few_shot_source'] == {'3': 'drawn', '30': 'file', '300': 'drawn'}
    assert sorted(row['AP_by_seed']) == ['3', '30', '300'] and row['published'] is None, 'the paper has five shots'
    assert set(json.loads((tmp_path / 'out/submission.json').read_text())['BCCD']) == {'3', '30', '300'}


def test_the_group_of_all_classes_may_have_the_name_of_a_class(root, tmp_path):
    path = root / 'BCCD/BCCD.v3-raw.coco/test/_annotations.coco.json'
    path.write_text(path.read_text().replace('"cells"', '"RBC"'))
    content = json.loads(path.read_text())
    bccd = next(each for each in SETS if each.name == 'BCCD')
    files = without_placeholders(find_split(root, bccd, 'test'), tmp_path)
    kept = json.loads(files.ann_file.read_text())
    assert [entry['id'] for entry in content['categories'] if entry['name'] == 'RBC'][0] == 0
    assert len(kept['categories']) == 3 and 0 not in {entry['id'] for entry in kept['categories']}
    assert kept['annotations'] == content['annotations'] and kept['images'] == content['images']


def test_proposal_heads_keep_their_one_class():
    cfg = Config(dict(model=dict(type='X', rpn_head=dict(num_classes=1), roi_head=[dict(bbox_head=dict(num_classes=80))])))
    use_classes(cfg, ('a', 'b'), {})
    assert cfg.model.rpn_head.num_classes == 1 and cfg.model.roi_head[0].bbox_head.num_classes == 2


def test_faults_are_named(root, zero_shot, atss, tmp_path):
    config, checkpoint = zero_shot
    common = dict(group='florence11', work_dir=str(tmp_path / 'out'))
    with pytest.raises(ValueError, match='zero-shot needs a florence.ZeroShotDetector'):
        run_odinw(OdinwRun(str(root), atss, checkpoint, **common))
    with pytest.raises(ValueError, match='zero-shot needs a checkpoint'):
        run_odinw(OdinwRun(str(root), config, None, **common))
    with pytest.raises(FileNotFoundError, match="no checkpoint 'none.pth'"):
        run_odinw(OdinwRun(str(root), config, 'none.pth', **common))
    with pytest.raises(FileNotFoundError, match='none of the 11 sets of florence11 lies below'):
        run_odinw(OdinwRun(str(tmp_path / 'nowhere'), config, checkpoint, **common))
    with pytest.raises(FileNotFoundError, match="BCCD: no annotation file of the split 'valid'"):
        run_odinw(OdinwRun(str(root), config, checkpoint, split='valid', **common))
    torch.save({'state_dict': {}}, tmp_path / 'less.pth')
    with pytest.raises(ValueError, match='less.pth.* does not fit this model'):
        run_odinw(OdinwRun(str(root), config, str(tmp_path / 'less.pth'), **common))


@pytest.mark.parametrize('mode', ['full', 'few-shot'])
def test_all_training_sets_are_checked_before_the_first_training(root, atss, test_data, tmp_path, mode):
    write_split(root / 'PKLot', 'test', 1, test_data)
    run = OdinwRun(str(root), atss, None, 'florence11', str(tmp_path / 'out'), mode=mode)
    with pytest.raises(FileNotFoundError, match="PKLot: no annotation file of the split 'train'"):
        run_odinw(run)
    train = write_split(root / 'PKLot', 'train', 1, test_data)
    train.write_text(train.read_text().replace('"RBC"', '"rbc"'))
    with pytest.raises(ValueError, match="lacks the class 'RBC' of .*training needs all classes"):
        run_odinw(run)
    assert not (tmp_path / 'out').exists()


def test_a_training_without_checkpoints_is_named(root, atss, tmp_path):
    cfg = Config.fromfile(atss)
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False)
    cfg.dump(tmp_path / 'no_checkpoint.py')
    with pytest.raises(ValueError, match='left no checkpoint in .*training: the config needs a CheckpointHook'):
        run_odinw(OdinwRun(str(root), str(tmp_path / 'no_checkpoint.py'), None, 'florence11', str(tmp_path / 'out'), mode='full'))


def test_the_tool_checks_submissions(root, repo_root, test_data, tmp_path, monkeypatch, capsys):
    (tmp_path / 'submission.json').write_text(json.dumps({'BCCD': [{'image_id': 1, 'category_id': 1}]}))
    monkeypatch.setattr(sys, 'argv', ['odinw.py', '--root', str(root), '--check', str(tmp_path / 'submission.json')])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(repo_root / 'tools/leaderboards/odinw.py'), run_name='__main__')
    assert 'BCCD: 1 entries lack score, bbox' in stopped.value.code and 'PKLot: no results' in stopped.value.code
    for each in sets_of('florence11'):
        write_split(root / each.folder, 'test', 1, test_data)
    good = [{'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 0.5}]
    (tmp_path / 'submission.json').write_text(json.dumps({each.name: good for each in sets_of('florence11')}))
    runpy.run_path(str(repo_root / 'tools/leaderboards/odinw.py'), run_name='__main__')
    assert 'submission.json is in order' in capsys.readouterr().out
