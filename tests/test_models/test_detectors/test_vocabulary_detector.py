"""A vocabulary detector against mmdet's ATSS with a plain convolution, what it is trained on, and its chunked inference."""

import copy

import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from florence.models.detectors.sampled_vocabulary import checked_columns, columns_of, sample_vocabulary
from florence.registry import MODELS

NUM_CLASSES = 6
HEAD = dict(
    type='mmdet.ATSSHead',
    in_channels=8,
    feat_channels=8,
    stacked_convs=1,
    norm_cfg=dict(type='GN', num_groups=2),
    anchor_generator=dict(type='mmdet.AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=[8, 16]),
    bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
    loss_cls=dict(type='florence.FederatedFocalLoss', use_sigmoid=True),
    loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=2.0),
)
TRAIN_CFG = dict(assigner=dict(type='mmdet.ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1)
TEST_CFG = dict(nms_pre=1000, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.6), max_per_img=20)


@pytest.fixture
def bank(tmp_path):
    path = tmp_path / 'names.pth'
    torch.save(dict(names=[f'class {number}' for number in range(NUM_CLASSES)], embeds=torch.eye(NUM_CLASSES)), path)
    return path


def detector(bank, **options):
    model = MODELS.build(
        dict(
            type='VocabularyDetector',
            backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, stem_channels=8, out_indices=(1, 2), norm_eval=False),
            neck=dict(type='mmdet.FPN', in_channels=[16, 32], out_channels=8, num_outs=2),
            bbox_head=HEAD,
            name_embeddings=str(bank),
            train_cfg=TRAIN_CFG,
            test_cfg=TEST_CFG,
            **options,
        )
    )
    model.init_weights()
    return model


def sample(boxes, labels, **meta):
    found = DetDataSample(metainfo=dict(img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1, 1), pad_shape=(64, 64), **meta))
    found.gt_instances = InstanceData(bboxes=torch.tensor(boxes).float().reshape(-1, 4), labels=torch.tensor(labels).long())
    return found


BOX = [10, 10, 40, 44]


def test_with_all_classes_it_is_atss_with_a_convolution(bank):
    """Embeddings that are the unit vectors make the projection a convolution of the classes."""
    model = detector(bank, normalize=False, vocabulary_size=NUM_CLASSES)
    plain = MMDET_MODELS.build(
        dict(
            HEAD | dict(loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25)),
            num_classes=NUM_CLASSES, train_cfg=ConfigDict(TRAIN_CFG), test_cfg=ConfigDict(TEST_CFG),
        )
    )  # fmt: skip
    state = model.bbox_head.state_dict()
    state['atss_cls.weight'] = state.pop('atss_cls.proj.weight') * state.pop('atss_cls.log_scale').exp()
    state['atss_cls.bias'] = state.pop('atss_cls.logit_bias').expand(NUM_CLASSES)
    plain.load_state_dict(state)
    images = torch.randn(2, 3, 64, 64)
    samples = [sample([BOX, [20, 4, 60, 30]], [4, 1]), sample([[0, 0, 30, 30]], [5])]
    maps = model.extract_feat(images)
    theirs = plain.loss(maps, copy.deepcopy(samples))
    ours = model(images, samples, mode='loss')
    for name in ('loss_cls', 'loss_bbox', 'loss_centerness'):
        torch.testing.assert_close(torch.stack(ours[name]), torch.stack(theirs[name]), rtol=1e-5, atol=1e-6)
    assert torch.stack(theirs['loss_bbox']).sum() > 0, 'some anchor has an object'
    assert samples[0].gt_instances.labels.tolist() == [4, 1], 'the caller keeps its labels'
    model.eval()
    expected = plain.eval().predict(model.extract_feat(images), samples, rescale=True)
    for chunk in (2, NUM_CLASSES):
        model.chunk_size = chunk
        found = model(images, copy.deepcopy(samples), mode='predict')
        for one, other in zip(found, expected):
            order = one.pred_instances.scores.argsort(descending=True)
            torch.testing.assert_close(one.pred_instances.scores[order], other.scores)
            torch.testing.assert_close(one.pred_instances.bboxes[order], other.bboxes)
            assert one.pred_instances.labels[order].tolist() == other.labels.tolist()


def test_training_reaches_everything_but_the_names(bank):
    model = detector(bank, vocabulary_size=3)
    embeds = model.name_embeds.clone()
    losses = model(torch.randn(2, 3, 64, 64), [sample([BOX], [2]), sample([BOX], [0])], mode='loss')
    sum(torch.stack(values).sum() for values in losses.values()).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    # Regression scales and convolutions of a level without positives, and the last stages of ResNet, may see none.
    assert not [name for name in without if 'atss_cls' in name or 'cls_convs' in name]
    assert torch.equal(model.name_embeds, embeds) and not model.name_embeds.requires_grad
    assert not any('name_embeds' in name for name in model.state_dict()), 'the names belong to no checkpoint'


def test_logits_grow_with_the_vocabulary_and_never_with_the_classes(tmp_path):
    path = tmp_path / 'names.pth'
    torch.save(dict(names=[str(number) for number in range(25_190)], embeds=torch.randn(25_190, 16)), path)
    model = detector(path, vocabulary_size=40)
    seen = []
    model.bbox_head.atss_cls.register_forward_hook(lambda module, args, output: seen.append(output.size(1)))
    model(torch.randn(2, 3, 64, 64), [sample([BOX], [25_189]), sample([BOX], [7])], mode='loss')
    assert seen == [40, 40]


def test_what_nobody_looked_for_gets_no_negative_gradient(bank):
    """Image 0 was checked for class 3 only and shows class 2: the column of class 2 must not be pushed down anywhere in it."""
    model = detector(bank, vocabulary_size=NUM_CLASSES)
    logits = []

    def keep(module, args, output):
        output.retain_grad()
        logits.append(output)

    model.bbox_head.atss_cls.register_forward_hook(keep)
    losses = model(torch.randn(1, 3, 64, 64), [sample([BOX], [2], checked_labels=[3])], mode='loss')
    torch.stack(losses['loss_cls']).sum().backward()
    own, negative = (torch.cat([level.grad[:, column].flatten() for level in logits]) for column in (0, 1))
    assert logits[0].size(1) == 2, 'the shown class, and the one that was looked for'
    assert (own <= 0).all() and (own < 0).any() and (negative > 0).all()


def test_pseudo_boxes_count_by_their_score(bank):
    model = detector(bank, vocabulary_size=1).train()
    images = torch.randn(1, 3, 64, 64)
    values = []
    for meta in ({}, dict(label_scores={2: 0.5})):
        losses = model(images, [sample([BOX], [2], checked_labels=[], **meta)], mode='loss')
        values.append(torch.stack(losses['loss_cls']).sum())
    assert values[0] > 0
    torch.testing.assert_close(values[1], values[0] / 2)


def test_images_without_boxes_and_checks(bank):
    losses = detector(bank)(torch.randn(1, 3, 64, 64), [sample([], [], checked_labels=[])], mode='loss')
    assert torch.stack(losses['loss_cls']).sum() == 0


def test_chosen_names(bank):
    model = detector(bank).eval()
    images, samples = torch.randn(1, 3, 64, 64), [sample([BOX], [0])]
    everything = model(images, copy.deepcopy(samples), mode='predict')[0].pred_instances
    model.set_classes(['class 5', 'class 2'])
    chosen = model(images, copy.deepcopy(samples), mode='predict')[0].pred_instances
    assert set(chosen.labels.tolist()) <= {0, 1} and len(everything) == 20
    for label, index in ((0, 5), (1, 2)):
        of_all = everything.scores[everything.labels == index]
        assert torch.isin(of_all, chosen.scores[chosen.labels == label]).all()
    with pytest.raises(KeyError, match="'class 9'"):
        model.set_classes(['class 9'])
    with pytest.raises(ValueError, match='once each'):
        model.set_classes([])


def test_vocabulary_of_a_batch():
    present = [torch.tensor([7, 3, 7]), torch.tensor([], dtype=torch.int64)]
    checked = [torch.tensor([7, 1]), torch.tensor([4, 5, 3])]
    for _ in range(20):
        found = sample_vocabulary(present, checked, num_classes=100, size=4)
        assert found[:2].tolist() == [3, 7] and len(found) == 4 and set(found[2:].tolist()) <= {1, 4, 5}
    assert set(sample_vocabulary(present, checked, 100, 50).tolist()) == {1, 3, 4, 5, 7}
    assert sample_vocabulary(present, checked, 100, 1).tolist() == [3, 7], 'a shown class is never dropped'
    every = sample_vocabulary(present, [None, checked[1]], 100, 60)
    assert len(set(every.tolist())) == 60
    columns = checked_columns(torch.tensor([3, 7, 4]), checked)
    assert columns.tolist() == [[0, 1, 0], [1, 0, 1]]
    assert columns_of(torch.tensor([4, 3, 4]), torch.tensor([3, 7, 4])).tolist() == [2, 0, 2]
    with pytest.raises(ValueError, match='labels from 3 to 7, but there are embeddings of 6'):
        sample_vocabulary(present, checked, num_classes=6, size=4)


def test_wrong_parts_are_named(bank, tmp_path):
    torch.save(dict(names=['a']), tmp_path / 'half.pth')
    for path, error, message in (
        (tmp_path / 'none.pth', FileNotFoundError, 'write_name_embeddings'),
        (tmp_path / 'half.pth', ValueError, 'names` and `embeds'),
    ):
        with pytest.raises(error, match=message):
            detector(path)
    for change, message in (
        (dict(num_classes=3), 'leave num_classes out'),
        (dict(loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True)), 'FederatedFocalLoss'),
        (dict(anchor_generator=dict(HEAD['anchor_generator'], ratios=[0.5, 1.0])), 'one anchor a cell'),
    ):
        options = dict(
            type='VocabularyDetector', backbone=dict(type='mmdet.ResNet', depth=18), neck=[], name_embeddings=str(bank)
        )
        with pytest.raises(ValueError, match=message):
            MODELS.build(dict(options, bbox_head=HEAD | change, train_cfg=TRAIN_CFG, test_cfg=TEST_CFG))
    with pytest.raises(KeyError, match="'dog'"):
        detector(bank, classes=['dog'])
    with pytest.raises(ValueError, match='vocabulary_size'):
        detector(bank, vocabulary_size=0)
