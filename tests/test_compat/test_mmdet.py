"""mmdet's detectors, end to end on the served ops."""

import mmdet.models  # noqa: F401
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torchvision.ops import box_iou

SIZE = 96
NUM_CLASSES = 8
IOU_THRESHOLD = 0.5  # of the suppression, in both configs


def small_detector(config: str) -> torch.nn.Module:
    cfg = get_config(f'mmdet::{config}').model
    cfg.backbone.update(depth=18, init_cfg=None)
    cfg.neck.in_channels = [64, 128, 256, 512]
    cfg.get('roi_head', cfg).bbox_head.num_classes = NUM_CLASSES
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg)


def batch() -> dict:
    samples = []
    for _ in range(2):
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(SIZE, SIZE),
                ori_shape=(SIZE, SIZE),
                scale_factor=(1.0, 1.0),
                batch_input_shape=(SIZE, SIZE),
            )
        )
        boxes = torch.tensor([[8.0, 8.0, 48.0, 56.0], [40.0, 30.0, 90.0, 80.0]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([3, 7]))
        samples.append(sample)
    images = [torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize(
    ('config', 'losses'),
    [
        ('retinanet/retinanet_r50_fpn_1x_coco.py', {'loss_cls', 'loss_bbox'}),
        (
            'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
            {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox'},
        ),
    ],
)
def test_detector_trains_and_predicts(config, losses):
    detector = small_detector(config)
    detector.init_weights()
    data = detector.data_preprocessor(batch(), training=True)
    values = detector(**data, mode='loss')
    assert {name for name in values if name.startswith('loss')} == losses
    total, _ = detector.parse_losses(values)
    assert 0 < total.item() < 100
    total.backward()
    assert all(p.grad is not None for p in detector.parameters() if p.requires_grad)

    detector.eval()
    # random weights score below the usual threshold
    (detector.roi_head if hasattr(detector, 'roi_head') else detector.bbox_head).test_cfg.score_thr = 0.0
    with torch.no_grad():
        results = detector(**detector.data_preprocessor(batch()), mode='predict')
    for result in results:
        found = result.pred_instances
        assert 0 < len(found) <= 100
        assert (found.scores.diff() <= 0).all()
        assert found.bboxes.min() >= 0 and found.bboxes.max() <= SIZE
        same_class = (found.labels[:, None] == found.labels).triu(diagonal=1)
        assert (box_iou(found.bboxes, found.bboxes)[same_class] <= IOU_THRESHOLD + 1e-4).all()


def test_dyhead_neck_reads_offsets_of_the_finer_level():
    neck = MODELS.build(dict(type='DyHead', in_channels=16, out_channels=16, num_blocks=1, zero_init_offset=False))
    maps = [torch.randn(1, 16, size, size + 1) for size in (16, 8, 4)]
    outputs = neck(maps)
    assert [tuple(output.shape) for output in outputs] == [tuple(level.shape) for level in maps]
    sum(output.square().mean() for output in outputs).backward()
    offset_gradient = neck.dyhead_blocks[0].spatial_conv_offset.weight.grad
    assert offset_gradient.isfinite().all() and offset_gradient.abs().sum() > 0
