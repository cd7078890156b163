"""mmaction2 on current mmcv, numpy and transformers."""

import math

import mmaction.models
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import Registry

NUM_CLASSES = 5


def swin_nano_recognizer() -> torch.nn.Module:
    backbone = dict(
        type='mmaction.SwinTransformer3D',
        arch=dict(embed_dims=8, depths=[1, 1, 2, 1], num_heads=[1, 1, 2, 2]),
        pretrained2d=False,
        patch_size=(2, 4, 4),
        window_size=(2, 3, 3),
    )
    head = dict(
        type='mmaction.I3DHead',
        in_channels=64,
        num_classes=NUM_CLASSES,
        dropout_ratio=0,
        average_clips='prob',
    )
    preprocessor = dict(type='mmaction.ActionDataPreprocessor', mean=[128.0] * 3, std=[64.0] * 3, format_shape='NCTHW')
    recognizer = dict(type='mmaction.Recognizer3D', backbone=backbone, cls_head=head, data_preprocessor=preprocessor)
    return Registry('model', parent=MODELS.parent, scope='elsewhere').build(recognizer)


def test_recognizer_trains_and_predicts():
    recognizer = swin_nano_recognizer()
    recognizer.init_weights()
    clips = [torch.randint(0, 256, (2, 3, 4, 32, 32), dtype=torch.uint8) for _ in range(2)]  # two views each
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 3)]
    data = recognizer.data_preprocessor(dict(inputs=[clip[:1] for clip in clips], data_samples=samples))
    losses = recognizer(**data, mode='loss')
    # the classifier starts near zero: the loss of a uniform guess
    assert losses['loss_cls'].item() == pytest.approx(math.log(NUM_CLASSES), abs=0.2)
    losses['loss_cls'].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in recognizer.parameters())

    recognizer.eval()
    data = recognizer.data_preprocessor(dict(inputs=clips, data_samples=samples))
    with torch.no_grad():
        results = recognizer(**data, mode='predict')
    for result in results:
        assert result.pred_score.shape == (NUM_CLASSES,)
        assert result.pred_score.sum().item() == pytest.approx(1, abs=1e-5)


def test_half_precision_scores_train_and_predict():
    head = MODELS.build(dict(type='I3DHead', in_channels=4, num_classes=NUM_CLASSES, dropout_ratio=0, average_clips='prob'))
    maps = torch.randn(2, 4, 1, 1, 1)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 3)]
    expected = head.loss(maps, samples)
    with torch.autocast('cpu', torch.bfloat16):
        assert head(maps).dtype == torch.bfloat16
        losses = head.loss(maps, samples)
        predicted = head.predict(maps, samples)
    assert losses.keys() == expected.keys() == {'top1_acc', 'top5_acc', 'loss_cls'}
    assert losses['loss_cls'].item() == pytest.approx(expected['loss_cls'].item(), abs=1e-2)
    assert all(sample.pred_score.dtype == torch.float32 for sample in predicted)


def test_what_the_wheel_lacks_is_named():
    with pytest.raises(ImportError, match='DRN is not part of the mmaction2 1.2.0 wheel'):
        mmaction.models.localizers.DRN()
    assert 'DRN' not in MODELS and 'VindLUVQA' not in MODELS
    with pytest.raises(KeyError, match='VindLUVQA'):
        MODELS.build(dict(type='VindLUVQA'))


def test_retrieval_recall_uses_in1d():
    from mmaction.evaluation import RetrievalRecall

    scores = np.array([[0.1, 0.9, 0.3], [0.7, 0.2, 0.1]])
    (recall,) = RetrievalRecall.calculate(scores, np.array([[0, 1, 0], [0, 0, 1]]), topk=1)
    assert recall.item() == 50


def test_activitynet_recall_uses_trapz():
    from mmaction.evaluation.functional.accuracy import average_recall_at_avg_proposals

    truth = {'video': np.array([[0.0, 10.0], [20.0, 30.0]])}
    proposals = {'video': np.array([[0.0, 10.0, 0.9], [20.0, 30.0, 0.8]])}
    _, recall, per_video, area = average_recall_at_avg_proposals(truth, proposals, total_num_proposals=2)
    assert recall[-1] == 1
    # the area under the curve in per cent of a recall of one, by the trapezoidal rule
    area_by_hand = sum((recall[1:] + recall[:-1]) / 2 * np.diff(per_video)) / per_video[-1]
    assert area == pytest.approx(100 * area_by_hand)


def test_ava_precision_without_truth_is_not_a_number():
    from mmaction.evaluation.functional.ava_evaluation.metrics import compute_average_precision

    assert math.isnan(compute_average_precision(None, None))
    precision, recall = np.array([1.0, 0.5]), np.array([0.5, 1.0])
    assert compute_average_precision(precision, recall) == pytest.approx(0.75)


def test_pose_compact_uses_inf():
    from mmaction.datasets.transforms import PoseCompact

    keypoint = np.array([[[[20.0, 30.0], [60.0, 50.0]]]])
    result = PoseCompact(padding=0.0, threshold=10)(dict(img_shape=(100, 100), keypoint=keypoint))
    assert result['img_shape'] == (20, 40)
    np.testing.assert_allclose(result['keypoint'][0, 0], [[0, 0], [40, 20]])


def test_numpy_itself_is_left_alone():
    module = mmaction.evaluation.functional.accuracy
    assert module.np is not np
    assert not any(hasattr(np, name) for name in ('NAN', 'Inf'))
    in1d = mmaction.evaluation.metrics.multimodal_metric.np.in1d
    assert in1d([[1, 2], [3, 4]], [2, 3]).tolist() == [False, True, True, False]
