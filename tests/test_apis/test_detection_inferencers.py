"""Detection on a user's own images: coordinates, sizes, pictures, and what is said about images that cannot be used."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from test_models.test_detectors.tiny_zero_shot import ATSS, DETECTOR, NAMES, color_detector, detector

from florence.apis import DetectionInferencer, ZeroShotDetectionInferencer
from florence.apis.detection_inferencer import _picture_names
from florence.apis.detection_inputs import DetectionInputs

PIPELINE = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(128, 96), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]


def config(**options):
    dataset = dict(type='CocoDataset', pipeline=PIPELINE, metainfo=dict(classes=('cat', 'dog')))
    return Config(
        dict(default_scope='mmdet', model=DETECTOR, test_dataloader=dict(dataset=dict(type='Wrap', dataset=dataset)), **options)
    )


def atss(**options):
    """A plain detector of mmdet."""
    model = dict(
        type='ATSS',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
        backbone=dict(type='ResNet', depth=18, base_channels=4),
        neck=dict(type='FPN', in_channels=[4, 8, 16, 32], out_channels=16, num_outs=4),
        bbox_head={**ATSS, 'num_classes': 2},
        test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.6), max_per_img=10),
    )
    loader = dict(dataset=dict(type='CocoDataset', pipeline=PIPELINE, metainfo=dict(classes=('cat', 'dog'))))
    return Config(dict(default_scope='mmdet', model=model, test_dataloader=loader, **options))


def squares(scale=1):
    """A red and a blue square on grey."""
    image = np.full((64 * scale, 96 * scale, 3), 128, np.uint8)
    image[8 * scale : 24 * scale, 16 * scale : 40 * scale] = (255, 0, 0)
    image[32 * scale : 56 * scale, 48 * scale : 80 * scale] = (0, 0, 255)
    return image


def test_names_and_places_in_the_original_image(tmp_path):
    Image.fromarray(squares(4)).save(tmp_path / 'squares.png')
    # The network input is 1200 x 800: 3.125 times the image.
    boxes = torch.tensor([[16.0, 8, 40, 24], [48, 32, 80, 56]]) * 12.5
    inferencer = ZeroShotDetectionInferencer(color_detector(boxes, torch.tensor([0.81, 0.64])))
    (result,) = inferencer(
        str(tmp_path / 'squares.png'), ['green', 'blue', 'red', 'blue'], score_thr=0.5, out_dir=tmp_path / 'out'
    )
    assert result['path'] == str(tmp_path / 'squares.png') and (result['width'], result['height']) == (384, 256)
    assert result['classes'] == ['red', 'blue'] and result['labels'] == [2, 1]
    assert np.allclose(result['boxes'], [[64, 32, 160, 96], [192, 128, 320, 224]], atol=1e-3)
    assert result['scores'] == pytest.approx([0.9, 0.8], abs=1e-4) and result['scoring']['num_names'] == 3
    with Image.open(tmp_path / 'out/squares.png') as picture:
        assert picture.size == (384, 256)
    (again,) = inferencer(squares(4), ['blue'], background_names=['red'], score_thr=0.5)
    assert again['path'] == 'image-0' and again['classes'] == ['blue'] and again['scoring']['background'] == ['red']


def test_batches_give_the_same_and_pictures_do_not_overwrite_each_other(tmp_path):
    images = [str(tmp_path / name) for name in ('a/x.png', 'b/x.jpg', 'x-2.png')]
    for index, path in enumerate(images):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.randint(0, 256, (40 + 30 * index, 60, 3), np.uint8)).save(path)
    torch.manual_seed(0)
    model = detector(classes=NAMES)
    one = ZeroShotDetectionInferencer(model)(images, NAMES, score_thr=0.1, out_dir=tmp_path / 'out')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['x-2-2.png', 'x-2.png', 'x.png']
    assert [result['path'] for result in one] == images and all(result['scores'] for result in one)
    two = ZeroShotDetectionInferencer(model, batch_size=3)(images[:1], NAMES, score_thr=0.1)
    assert two[0]['scores'] == one[0]['scores']


def test_many_images_of_one_name_get_their_names_at_once():
    names = _picture_names([f'{folder}/a.jpg' for folder in range(20_000)] + ['a-3.png', 'b.png'])
    assert names[:3] == ['a.png', 'a-2.png', 'a-3.png'] and names[-2:] == ['a-3-2.png', 'b.png'] and len(set(names)) == 20_002


@pytest.mark.parametrize('size', [(1, 1), (12000, 50), (50, 12000), (3, 2)])
def test_images_of_any_size(size):
    width, height = size
    inferencer = DetectionInferencer(config(), classes=NAMES)
    inferencer.model.set_classes(NAMES)
    inferencer.model.two_tower.tokenizer.tokenizer.train(NAMES)
    (result,) = inferencer(np.random.randint(0, 256, (height, width, 3), np.uint8), score_thr=0.0)
    boxes = np.array(result['boxes'])
    assert len(boxes) and boxes.min() >= 0 and (boxes[:, 2] <= width + 1e-3).all() and (boxes[:, 3] <= height + 1e-3).all()


def test_images_that_cannot_be_used_are_named(tmp_path):
    inferencer = DetectionInferencer(atss())
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match='cannot decode image .*broken.jpg'):
        inferencer(str(tmp_path / 'broken.jpg'))
    with pytest.raises(ValueError, match='cannot open image .*missing.jpg'):
        inferencer([str(tmp_path / 'missing.jpg')])
    with pytest.raises(ValueError, match='image-0, 40000 x 1 pixels, does not pass the test pipeline; is one side too short'):
        inferencer(np.zeros((1, 40000, 3), np.uint8))
    with pytest.raises(ValueError, match='one image or more, got none'):
        inferencer([])
    for array in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match='uint8 array in RGB'):
            inferencer(array)


def test_the_pipeline_of_the_config_is_found_and_reads_no_files():
    batch = DetectionInputs(config())([squares()], ['name'])
    (sample,) = batch['data_samples']
    assert batch['inputs'][0].shape == (3, 85, 128) and sample.ori_shape == (64, 96) and sample.img_path == 'name'
    assert batch['inputs'][0][:, 20, 30].tolist() == [0, 0, 255], "mmdet's order of colours"
    assert DetectionInputs()([squares()], ['name'])['inputs'][0].shape == (3, 800, 1200)


def test_names_of_the_labels_come_from_the_checkpoint_then_the_config(tmp_path):
    inferencer = DetectionInferencer(atss())
    assert inferencer.classes == ('cat', 'dog')
    torch.save(
        dict(state_dict=inferencer.model.state_dict(), meta=dict(dataset_meta=dict(classes=('cow', 'hen')))), tmp_path / 'a.pth'
    )
    inferencer = DetectionInferencer(atss(), str(tmp_path / 'a.pth'))
    (result,) = inferencer(squares(), score_thr=0.0)
    assert set(result['classes']) <= {'cow', 'hen'} and len(result['classes']) == len(result['boxes']) > 0
    assert result['scores'] == sorted(result['scores'], reverse=True) and 'scoring' not in result
    assert DetectionInferencer(inferencer.model)(squares(), score_thr=0.0)[0]['classes'][0].startswith('class ')


def test_mistakes_get_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match='no config file'):
        DetectionInferencer('none.py')
    with pytest.raises(FileNotFoundError, match='no checkpoint'):
        DetectionInferencer(atss(), 'none.pth')
    with pytest.raises(ValueError, match='this config has no model'):
        DetectionInferencer(Config(dict(default_scope='mmdet')))
    with pytest.raises(ValueError, match='needs a model of type ZeroShotDetector, this one is ATSS'):
        ZeroShotDetectionInferencer(atss())
    torch.save(dict(state_dict=dict(weight=torch.zeros(2))), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='does not fit this model'):
        DetectionInferencer(atss(), str(tmp_path / 'other.pth'))
    whole = (tmp_path / 'other.pth').read_bytes()
    for content in (b'', b'hello\n', whole[: len(whole) // 2]):
        (tmp_path / 'cut.pth').write_bytes(content)
        with pytest.raises(ValueError, match='cut short or no checkpoint'):
            DetectionInferencer(atss(), str(tmp_path / 'cut.pth'))
    with pytest.raises(ValueError, match="device 'toaster' cannot be used here"):
        DetectionInferencer(atss(), device='toaster')
    with pytest.raises(ValueError, match='batch_size must be 1 or more, got 0'):
        DetectionInferencer(atss(), batch_size=0)
    no_detector = ZeroShotDetectionInferencer(detector()).model.two_tower
    no_detector.test_step = lambda batch: [{}]
    with pytest.raises(ValueError, match='needs a detector, a TwoTower gives no boxes'):
        DetectionInferencer(no_detector)(squares())
    for classes, message in (([], 'at least one class'), (['a', ' '], 'not blank'), ('dog', 'put a single name in a list')):
        with pytest.raises(ValueError, match=message):
            ZeroShotDetectionInferencer(detector())(squares(), classes)


def test_real_images(test_data):
    images = sorted((test_data / 'det_bccd/images').glob('*.jpg'))[:2]
    results = ZeroShotDetectionInferencer(detector())(images, ['red blood cell', 'platelet'], score_thr=0.0)
    assert [(result['width'], result['height']) for result in results] == [(640, 480)] * 2
    assert all(len(result['boxes']) == 100 for result in results)
