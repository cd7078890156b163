"""What is kept of a detector's proposals, and a run that is killed and goes on."""

import json

import numpy as np
import pytest
import torch
from conftest import REPO_ROOT
from PIL import Image

from florence.data_engine.flod.class_folders import ClassFolder, FolderImage, list_class_folders, read_folder_names
from florence.data_engine.flod.pseudo_boxes import PseudoBoxRules, PseudoBoxRun
from florence.datasets import CocoDetection


@pytest.fixture
def tree(tmp_path):
    """Seven images of two classes, one of them broken."""
    root = tmp_path / 'images'
    for number in range(7):
        path = root / ('n01' if number < 4 else 'n02/deep') / f'{number}.JPEG'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 48, 3), 20 * number + 10, np.uint8)).save(path)
    (root / 'n01' / '2.JPEG').write_bytes(b'no image')
    (root / 'n01' / 'readme.txt').write_text('not an image')
    return root


def first_key(options):
    return next(iter(options))


class Killed(Exception):
    """Stands for the end of the process."""


class Detector:
    """Boxes that depend on the pixels; may be killed at the n-th image."""

    def __init__(self, killed_at=None):
        self.seen, self.killed_at = [], killed_at

    def read(self, path):
        try:
            return np.asarray(Image.open(path))
        except OSError as error:
            raise ValueError(f'cannot decode image {path}') from error

    def detect(self, images):
        self.seen += [int(image[0, 0, 0]) for image in images]
        if self.killed_at is not None and len(self.seen) > self.killed_at:
            raise Killed
        return [self._found(float(image[0, 0, 0])) for image in images]

    def _found(self, value):
        scores = [0.5 + value / 400, 0.45, 0.6, 0.55]
        return dict(
            boxes=[[1, 1, 20, 20], [0, 0, 5, 5], [2, 1, 20, 20], [20, 20, 60, 31]],
            scores=scores,
            classes=['dog', 'dog', 'cat', 'dog'],
        )


def run(tree, out, detector, **rules):
    classes, images = list_class_folders(tree, {'n01': ('tench', 'Tinca tinca'), 'n02': ('goldfish',)})
    parts = (detector.read, detector.detect, {'config': 'x'}, PseudoBoxRules(**rules))
    return PseudoBoxRun(out, tree, classes, images, *parts, shard_size=2, batch_size=1)


def test_a_killed_run_goes_on_and_gives_the_same_file(tree, tmp_path):
    whole = run(tree, tmp_path / 'whole', Detector())
    whole.run()
    report = whole.merge(tmp_path / 'whole.json')
    assert len(report['bad_images']) == 1 and report['bad_images'] == ['n01/2.JPEG'] and report['images'] == 6
    for killed_at in range(6):
        out = tmp_path / f'killed {killed_at}'
        first = run(tree, out, Detector(killed_at))
        with pytest.raises(Killed):
            first.run()
        assert first.merge(tmp_path / 'part.json') is None and not (tmp_path / 'part.json').exists()
        done = {path.name: path.stat().st_mtime_ns for path in out.glob('shard_*')}
        detector = Detector()
        again = run(tree, out, detector)
        again.run()
        assert {name: (out / name).stat().st_mtime_ns for name in done} == done, 'finished shards stay'
        assert len(detector.seen) == 6 - sum(2 if shard != 'shard_000001.json' else 1 for shard in done)
        assert again.merge(tmp_path / 'again.json') == report
        assert (tmp_path / 'again.json').read_bytes() == (tmp_path / 'whole.json').read_bytes()


def test_what_is_kept(tree, tmp_path):
    finished = run(tree, tmp_path / 'out', Detector())
    finished.run()
    finished.merge(tmp_path / 'boxes.json')
    merged = json.loads((tmp_path / 'boxes.json').read_text())
    assert merged['categories'][0] == {'id': 1, 'name': 'tench', 'folder': 'n01', 'synonyms': ['Tinca tinca']}
    first = [entry for entry in merged['annotations'] if entry['image_id'] == 1]
    assert [(entry['bbox'], entry['score'], entry['detected_as']) for entry in first] == [
        ([2, 1, 18, 19], 0.6, 'cat'), ([20, 20, 28, 11], 0.55, 'dog')
    ], 'overlapping boxes are one, whatever their classes; boxes end with the image'  # fmt: skip
    assert {entry['category_id'] for entry in merged['annotations'] if entry['image_id'] <= 4} == {1}
    dataset = CocoDetection('boxes.json', data_root=tmp_path, img_prefix='images')
    info = dataset.get_data_info(0)
    assert dataset.metainfo['classes'] == ('tench', 'goldfish') and info['checked_labels'].tolist() == []
    assert info['label_scores'] == {0: pytest.approx(0.575)}


def test_limits(tree, tmp_path):
    limited = run(tree, tmp_path / 'out', Detector(), max_per_image=1, max_per_class=2, min_score=0.58)
    limited.run()
    report = limited.merge(tmp_path / 'boxes.json')
    kept = json.loads((tmp_path / 'boxes.json').read_text())['annotations']
    assert report == dict(images=4, images_without_boxes=2, bad_images=['n01/2.JPEG'], boxes=4, boxes_over_max_per_class=2)
    assert [(entry['image_id'], entry['category_id']) for entry in kept] == [(1, 1), (4, 1), (6, 2), (7, 2)]


@pytest.mark.parametrize(
    'rules', [dict(max_per_image=0), dict(max_per_class=0), dict(min_score=-1), dict(overlap=2)], ids=first_key
)
def test_rules_out_of_range_are_refused(rules):
    with pytest.raises(ValueError, match='at least 1|lie in'):
        PseudoBoxRules(**rules)


@pytest.mark.parametrize('sizes', [dict(shard_size=0), dict(batch_size=0)], ids=first_key)
def test_shards_and_batches_hold_an_image(sizes, tmp_path):
    with pytest.raises(ValueError, match='need at least one image'):
        PseudoBoxRun(tmp_path, tmp_path, (), (), read=None, detect=None, detector={}, rules=PseudoBoxRules(), **sizes)


def test_shards_of_another_run_are_refused(tree, tmp_path):
    run(tree, tmp_path / 'out', Detector()).run()
    with pytest.raises(ValueError, match=r'another run \(rules differ\)'):
        run(tree, tmp_path / 'out', Detector(), min_score=0.7).run()
    (tree / 'n01' / '9.JPEG').write_bytes((tree / 'n01' / '1.JPEG').read_bytes())
    with pytest.raises(ValueError, match=r'another run \(images, num_images differ\)'):
        run(tree, tmp_path / 'out', Detector()).run()


def test_an_image_the_detector_refuses_spoils_no_other(tree, tmp_path):
    detector = Detector()

    def detect(images):
        if any(image[0, 0, 0] < 20 for image in images):
            raise ValueError('too narrow')
        return detector.detect(images)

    classes, images = list_class_folders(tree)
    whole = PseudoBoxRun(tmp_path / 'out', tree, classes, images, detector.read, detect, {}, PseudoBoxRules(), batch_size=4)
    whole.run()
    assert whole.merge(tmp_path / 'x.json')['bad_images'] == ['n01/2.JPEG', 'n01/0.JPEG']


def test_class_folders(tree, tmp_path):
    classes, images = list_class_folders(tree)
    assert classes == [ClassFolder('n01', 'n01'), ClassFolder('n02', 'n02')]
    assert images[3:5] == [FolderImage('n01/3.JPEG', 0), FolderImage('n02/deep/4.JPEG', 1)]
    (tmp_path / 'names.txt').write_text('n01 crane, bird\nn02\tcrane\n\n')
    names = read_folder_names(tmp_path / 'names.txt')
    assert [entry.name for entry in list_class_folders(tree, names)[0]] == ['crane (n01)', 'crane (n02)']
    with pytest.raises(ValueError, match="no name, e.g. 'n02'"):
        list_class_folders(tree, {'n01': ('tench',)})
    with pytest.raises(FileNotFoundError, match='no image in the class folders'):
        list_class_folders(tree / 'n01')
    (tmp_path / 'names.txt').write_text('n01\n')
    with pytest.raises(ValueError, match="'n01' has no name"):
        read_folder_names(tmp_path / 'names.txt')


CONFIG = """
default_scope = 'mmdet'
model = dict(
    type='mmdet.RetinaNet',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True, pad_size_divisor=32),
    backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, stem_channels=8, out_indices=(1, 2)),
    neck=dict(type='mmdet.FPN', in_channels=[16, 32], out_channels=8, num_outs=2),
    bbox_head=dict(
        type='mmdet.RetinaHead', num_classes=2, in_channels=8, feat_channels=8, stacked_convs=1,
        anchor_generator=dict(
            type='mmdet.AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[1.0], strides=[8, 16])),
    test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=50))
test_pipeline = [dict(type='mmdet.LoadImageFromFile'), dict(type='mmdet.Resize', scale=(96, 64), keep_ratio=True),
                 dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]
"""


def test_the_tool_with_a_real_detector(tree, tmp_path, capsys):
    import importlib.util

    from mmengine.config import Config

    from florence.registry import MODELS

    spec = importlib.util.spec_from_file_location('pseudo_boxes', REPO_ROOT / 'tools/dataset_converters/pseudo_boxes.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (tmp_path / 'detector.py').write_text(CONFIG)
    model = MODELS.build(Config.fromfile(tmp_path / 'detector.py').model)
    torch.save(
        {'state_dict': model.state_dict(), 'meta': {'dataset_meta': {'classes': ('dog', 'cat')}}}, tmp_path / 'weights.pth'
    )
    arguments = ['--config', tmp_path / 'detector.py', '--checkpoint', tmp_path / 'weights.pth', '--images', tree]
    arguments += ['--min-score', 0.1, '--max-per-image', 3, '--shard-size', 3]
    for part in ('0/2', '1/2'):
        tool.main([*map(str, arguments), '--out', str(tmp_path / 'out'), '--part', part])
    tool.main([*map(str, arguments), '--out', str(tmp_path / 'alone')])
    shared, alone = (json.loads((tmp_path / name / 'pseudo_boxes.json').read_text()) for name in ('out', 'alone'))
    assert shared == alone and len(alone['images']) == 6 and len(alone['annotations']) == 18
    assert {entry['detected_as'] for entry in alone['annotations']} <= {'dog', 'cat'}
    assert alone['sources'][0]['detector']['checkpoint'] == 'weights.pth'
    assert '18 boxes in 6 images; 1 bad images\n  n01/2.JPEG' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='expected I/N'):
        tool.main([*map(str, arguments), '--out', str(tmp_path / 'alone'), '--part', '2/2'])
