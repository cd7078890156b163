"""Attribute learning around mmdet's ATSS on a small CoSwin."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from florence.registry import MODELS

SIZE, NUM_CLASSES, NUM_ATTRIBUTES = 64, 2, 3


def config(**options):
    detector = dict(
        type='mmdet.ATSS',
        data_preprocessor=dict(
            type='mmdet.DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, pad_size_divisor=32
        ),
        backbone=dict(
            type='florence.CoSwin',
            arch=dict(embed_dims=(16, 24, 32, 48), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4),
            out_indices=(1, 2, 3),
        ),
        neck=dict(type='mmdet.FPN', in_channels=[24, 32, 48], out_channels=32, num_outs=3),
        bbox_head=dict(
            type='mmdet.ATSSHead',
            num_classes=NUM_CLASSES,
            in_channels=32,
            feat_channels=32,
            stacked_convs=1,
            anchor_generator=dict(
                type='mmdet.AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=[8, 16, 32]
            ),
            bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
            loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=2.0),
            loss_centerness=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
        ),
        train_cfg=dict(assigner=dict(type='mmdet.ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
        test_cfg=dict(nms_pre=50, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.6), max_per_img=7),
    )
    head = dict(type='florence.AttributeHead', in_channels=48, num_classes=NUM_CLASSES, num_attributes=NUM_ATTRIBUTES)
    return dict(type='florence.AttributeDetector', detector=detector, attribute_head=head, **options)


def build(**options):
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(ConfigDict(config(**options)))
    model.init_weights()
    return model


def batch(boxes, labels, attributes, images=None, scale_factor=(1.0, 1.0)):
    """One box an image."""
    samples = []
    for box, label, own in zip(boxes, labels, attributes, strict=True):
        shape = (SIZE, SIZE)
        sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=scale_factor))
        truth = InstanceData(bboxes=torch.tensor([box]), labels=torch.tensor([label]), attributes=torch.tensor([own]))
        sample.gt_instances = truth
        samples.append(sample)
    images = [torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8) for _ in boxes] if images is None else images
    return dict(inputs=images, data_samples=samples)


BOXES, LABELS, ATTRIBUTES = [[4.0, 8, 40, 56], [20.0, 10, 60, 50]], [0, 1], [[1.0, 0, 1], [0.0, 1, 0]]


def test_losses_are_those_of_the_detector_and_one_more_from_one_pass():
    model = build()
    data = model.data_preprocessor(batch(BOXES, LABELS, ATTRIBUTES), training=True)
    passes = []
    model.detector.backbone.register_forward_hook(lambda *_: passes.append(1))
    losses = model(**data, mode='loss')
    assert len(passes) == 1
    alone = model.detector(**data, mode='loss')
    assert set(losses) == {*alone, 'loss_attribute'}
    for name, values in alone.items():
        torch.testing.assert_close(losses[name], values, rtol=0, atol=0)
    losses['loss_attribute'].backward()
    assert model.detector.backbone.stages[0].embed.proj.weight.grad.abs().sum() > 0, 'attributes train the backbone too'
    assert all(parameter.grad is None for parameter in model.detector.neck.parameters())


def test_attributes_are_pooled_where_the_boxes_lie_in_the_input(monkeypatch):
    model = build().eval()
    # The original image had half the size: a detector gives boxes in its pixels, the features come from the input.
    data = model.data_preprocessor(batch(BOXES, LABELS, ATTRIBUTES, scale_factor=(2.0, 2.0)))
    boxes = torch.tensor([[0.0, 0, 32, 32], [0, 0, 16, 16], [16, 0, 32, 16]])
    labels = torch.tensor([0, 1, 1])

    def predict(inputs, data_samples, rescale):
        assert rescale
        model.detector.backbone(inputs)
        for sample in data_samples:
            sample.pred_instances = InstanceData(bboxes=boxes, labels=labels, scores=torch.ones(3))
        return data_samples

    monkeypatch.setattr(model.detector, 'predict', predict)
    with torch.no_grad():
        results = model(**data, mode='predict')
        maps = model.detector.backbone(data['inputs'])[-1]
        for sample, last in zip(results, maps, strict=True):
            assert last.shape == (48, 2, 2)
            # The whole image, its upper left and its upper right quarter are the whole map and single cells of it.
            features = torch.stack([last.mean((1, 2)), last[:, 0, 0], last[:, 0, 1]])
            expected = model.attribute_head.predict(features, labels)
            torch.testing.assert_close(sample.pred_instances.attributes, expected, rtol=1e-5, atol=1e-7)
            assert expected.diff(dim=0).abs().min() > 1e-6, 'the three differ'


def coloured_squares(count):
    """Squares whose attribute is their colour channel."""
    images, boxes, attributes = [], [], []
    for _ in range(count):
        colour, (x, y) = int(torch.randint(3, ())), torch.randint(0, 33, (2,)).tolist()
        image = torch.zeros(3, SIZE, SIZE, dtype=torch.uint8)
        image[colour, y : y + 32, x : x + 32] = 255
        images.append(image)
        boxes.append([float(x), float(y), x + 32.0, y + 32.0])
        attributes.append([float(index == colour) for index in range(3)])
    return batch(boxes, [0] * count, attributes, images)


def test_attributes_are_learned():
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(40):
        data = model.data_preprocessor(coloured_squares(8), training=True)
        losses = model(**data, mode='loss')
        total = sum(sum(value) if isinstance(value, list) else value for value in losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    model.eval()
    data = model.data_preprocessor(coloured_squares(40))
    truth = torch.cat([sample.gt_instances.attributes for sample in data['data_samples']]).argmax(1)
    with torch.no_grad():
        results = model(**data, mode='predict')
    predicted = torch.stack([sample.pred_instances.attributes[0].argmax() for sample in results])
    assert (predicted == truth).float().mean() > 0.9, 'chance is one third'


def test_an_image_without_detections():
    model = build().eval()
    model.detector.bbox_head.test_cfg.score_thr = 2.0
    data = model.data_preprocessor(batch(BOXES, LABELS, ATTRIBUTES))
    with torch.no_grad():
        results = model(**data, mode='predict')
    assert [tuple(sample.pred_instances.attributes.shape) for sample in results] == [(0, NUM_ATTRIBUTES)] * 2


def test_faults_are_named():
    data = batch(BOXES, LABELS, ATTRIBUTES)
    model = build(stride=16)
    prepared = model.data_preprocessor(data)
    with pytest.raises(ValueError, match=r'the last map is \(2, 2\) for an input of \(64, 64\): that is not stride 16'):
        model(**prepared, mode='loss')
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor', got 'train'"):
        model(**prepared, mode='train')
    del prepared['data_samples'][0].gt_instances.attributes
    with pytest.raises(KeyError, match='PackAttributes'):
        model(**prepared, mode='loss')


def test_boxes_keep_their_place_beside_half_precision_maps():
    model = build()
    maps = [torch.arange(40.0).expand(1, 1, 4, 40)]  # a map whose value is its column
    box = [torch.tensor([[901.0, 0.0, 1001.0, 100.0]])]
    inputs = torch.zeros(1, 3, 128, 1280)
    whole = model._pool(maps, inputs, box)
    assert torch.equal(model._pool([maps[0].bfloat16()], inputs, box), whole)
    assert float(whole) == pytest.approx((901 + 1001) / 2 / 32 - 0.5, abs=0.01)
