"""The zero-shot detector: what is trained, what a prediction is, classes that change, mistakes that are named."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from test_models.test_detectors.tiny_zero_shot import (
    ATSS,
    FPN,
    NAMES,
    TOWER,
    batch,
    color_detector,
    color_tower,
    detector,
)

from florence.registry import MODELS
from florence.tasks.background_names import GENERIC_BACKGROUND

RETINA = {key: value for key, value in ATSS.items() if key not in ('type', 'loss_bbox')} | dict(
    type='mmdet.RetinaHead',
    anchor_generator=dict(type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1, ratios=[1.0], strides=[4, 8, 16, 32]),
)
FCOS = dict(type='mmdet.FCOSHead', num_classes=1, in_channels=16, feat_channels=16, stacked_convs=1, strides=[4, 8, 16, 32],
            regress_ranges=((-1, 32), (32, 64), (64, 128), (128, 1e8)), norm_cfg=None)  # fmt: skip
RPN = dict(
    type='mmdet.RPNHead',
    in_channels=16,
    feat_channels=16,
    anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[4, 8, 16, 32]),
)
MAX_IOU = dict(
    assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0), allowed_border=-1, pos_weight=-1
)
SAMPLED = {**MAX_IOU, 'sampler': dict(type='RandomSampler', num=32, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False)}


def test_a_training_step_changes_neck_and_head_only():
    model = detector(classes=NAMES)
    model.train()
    before = copy.deepcopy(model.state_dict())
    optimizer = OptimWrapper(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1))
    losses = model.train_step(batch(), optimizer)
    assert set(losses) == {'loss', 'loss_cls', 'loss_bbox', 'loss_centerness'}
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert not [name for name in changed if name.startswith('two_tower.')]
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if not name.startswith('two_tower.')}
    assert {'neck.0.lateral_convs.0.conv.weight', 'rpn_head.atss_cls.weight', 'rpn_head.atss_reg.weight'} <= changed
    assert model.training and not any(module.training for module in model.two_tower.modules())


def test_a_tower_that_is_not_frozen_is_trained_but_for_its_text_side():
    model = detector(classes=NAMES, freeze_tower=False)
    model.train()
    data = model.data_preprocessor(batch(), training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    tower = model.two_tower
    assert all(parameter.grad is not None for parameter in tower.image_tower.parameters())
    frozen = [*tower.text_tower.parameters(), *tower.text_proj.parameters(), *tower.image_proj.parameters(), tower.logit_scale]
    assert not any(parameter.requires_grad for parameter in frozen)
    assert tower.image_tower.training and not tower.text_tower.training


@pytest.mark.parametrize(
    ('head', 'train_cfg', 'losses'),
    [
        (RETINA, MAX_IOU, {'loss_cls', 'loss_bbox'}),
        (FCOS, None, {'loss_cls', 'loss_bbox', 'loss_centerness'}),
        (RPN, SAMPLED, {'loss_rpn_cls', 'loss_rpn_bbox'}),
    ],
)
def test_other_heads_propose_too(head, train_cfg, losses):
    model = detector(classes=NAMES, neck=FPN, rpn_head=head, train_cfg=dict(rpn=train_cfg) if train_cfg else None)
    model.train()
    data = model.data_preprocessor(batch(), training=True)
    values = model(**data, mode='loss')
    assert set(values) == losses
    assert [sample.gt_instances.labels.tolist() for sample in data['data_samples']] == [[2, 1], [2, 1]], (
        'labels are set on a copy'
    )
    total, _ = model.parse_losses(values)
    assert torch.isfinite(total)
    model.eval()
    for sample in model.test_step(batch()):
        found = sample.pred_instances
        assert 0 < len(found) <= 100 and set(found.labels.tolist()) <= {0, 1, 2}
        assert (found.scores.diff() <= 0).all() and found.scores.max() <= 1


def test_what_the_head_learns_does_not_depend_on_the_labels():
    model = detector(neck=FPN)
    data = model.data_preprocessor(batch(), training=True)
    values = []
    for labels in ([2, 1], [0, 77]):
        for sample in data['data_samples']:
            sample.gt_instances.labels = torch.tensor(labels)
        values.append(model.parse_losses(model(**data, mode='loss'))[0].item())
    assert values[0] == values[1]


def test_the_background_of_an_image_counts_as_its_source_says():
    federated = {**ATSS, 'loss_cls': dict(type='florence.FederatedFocalLoss', use_sigmoid=True)}
    model = detector(neck=FPN, rpn_head=federated)
    plain = detector(neck=FPN, rpn_head={**ATSS, 'loss_cls': dict(type='FocalLoss', use_sigmoid=True)})
    plain.load_state_dict(model.state_dict())

    def loss_of(which, *weights):
        data = which.data_preprocessor(batch(sizes=((64, 96), (64, 96))), training=True)
        data['inputs'] = torch.full_like(data['inputs'], 0.5)
        for sample, weight in zip(data['data_samples'], weights, strict=False):
            sample.set_metainfo(dict(negative_weight=weight))
        return sum(which(**data, mode='loss')['loss_cls']).item()

    whole, half, none = loss_of(model), loss_of(model, 0.5, 0.5), loss_of(model, 0.0, 0.0)
    assert whole == pytest.approx(loss_of(plain), rel=1e-5)
    assert 0 < none < half < whole and half == pytest.approx((whole + none) / 2, rel=1e-4)
    assert loss_of(model, 0.0) == pytest.approx(half, rel=1e-4), 'two equal images, one without background'


def test_boxes_are_those_of_the_original_image_and_names_are_right():
    """Plain squares on grey, seen at half size, proposals given: everything about the result is known."""
    image = torch.full((3, 64, 96), 128, dtype=torch.uint8)
    image[:, 8:24, 16:40] = torch.tensor([0, 0, 255])[:, None, None]  # red: mmdet's images are BGR
    image[:, 32:56, 48:80] = torch.tensor([255, 0, 0])[:, None, None]
    boxes = torch.tensor([[16.0, 8, 40, 24], [48, 32, 80, 56], [49, 33, 80, 56]])
    model = color_detector(boxes, torch.tensor([0.81, 0.64, 0.36]), classes=['a blue thing', 'a green thing', 'a red thing'])
    data = batch(sizes=((64, 96),), scale=0.5)
    data['inputs'] = [image]
    (sample,) = model.test_step(data)
    best = {label: sample.pred_instances[sample.pred_instances.labels == label][0] for label in (0, 2)}
    assert best[2].bboxes[0].tolist() == [32, 16, 80, 48] and best[0].bboxes[0].tolist() == [96, 64, 160, 112]
    # exp(20) against exp(0): the probability is 1, what is left is the square root of the objectness.
    assert best[2].scores.item() == pytest.approx(0.9, abs=1e-5) and best[0].scores.item() == pytest.approx(0.8, abs=1e-5)
    assert sample.scoring == dict(
        kind='softmax', objectness_weight=0.5, multiplier=pytest.approx(20.0), templates='simple', num_names=3, background=[]
    )
    # The third box covers the second: of the same name one stays.
    blue = sample.pred_instances[sample.pred_instances.labels == 0]
    assert [98.0, 66.0] not in blue.bboxes[:, :2].tolist()


def test_other_classes_do_not_touch_the_image_side(monkeypatch):
    model = detector(classes=NAMES)
    model.eval()
    passes = []
    model.two_tower.image_tower.register_forward_hook(lambda *_: passes.append('image'))
    model.two_tower.text_tower.register_forward_hook(lambda *_: passes.append('text'))
    data = model.data_preprocessor(batch())
    regions = model.find_regions(**data)
    model.name_regions(regions, data['data_samples'])
    assert passes == ['image', 'text']
    first = [sample.pred_instances.scores for sample in data['data_samples']]
    model.set_classes(['blue two', 'a new name'])
    model.name_regions(regions, data['data_samples'])
    assert passes == ['image', 'text', 'text']
    assert max(int(sample.pred_instances.labels.max()) for sample in data['data_samples']) <= 1
    model.set_classes(NAMES)
    model.name_regions(regions, data['data_samples'])
    assert passes == ['image', 'text', 'text'], 'embeddings of known names are kept'
    assert all(torch.equal(a, s.pred_instances.scores) for a, s in zip(first, data['data_samples'], strict=True))


def test_names_are_compared_in_full_precision_under_autocast():
    model = detector(neck=FPN, classes=NAMES)
    model.eval()
    data = model.data_preprocessor(batch())
    regions = model.find_regions(**data)
    expected = [sample.pred_instances.scores for sample in model.name_regions(regions, copy.deepcopy(data['data_samples']))]
    with torch.autocast('cpu', torch.bfloat16):
        found = [sample.pred_instances.scores for sample in model.name_regions(regions, data['data_samples'])]
        model(**data, mode='predict')
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_classes_of_a_data_sample_come_first():
    boxes, scores = torch.tensor([[0.0, 0, 64, 64]]), torch.tensor([1.0])
    model = color_detector(boxes, scores, classes=['red', 'blue'])
    data = batch(sizes=((64, 64), (64, 64)))
    data['inputs'] = [torch.tensor([0, 255, 0], dtype=torch.uint8)[:, None, None].expand(3, 64, 64).clone() for _ in range(2)]
    data['data_samples'][1].set_metainfo(dict(classes=('blue', 'green', 'red')))
    own, other = model.test_step(data)
    assert own.scoring['num_names'] == 2 and other.scoring['num_names'] == 3
    assert other.pred_instances.labels[0] == 1 and other.pred_instances.scores[0] > 0.99
    assert own.pred_instances.scores[0] == pytest.approx(0.5**0.5, abs=1e-4), 'green is as far from red as from blue'


def test_one_class_is_contrasted_with_the_background():
    boxes = torch.tensor([[0.0, 0, 32, 32], [32, 32, 64, 64]])
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    image[2, :32, :32] = 255  # red, in BGR
    image[1, 32:, 32:] = 255  # green
    data = batch(sizes=((64, 64),))
    data['inputs'] = [image]

    def scores(**options):
        model = color_detector(boxes, torch.tensor([0.25, 0.25]), **options)
        (sample,) = model.test_step(copy.deepcopy(data))
        return dict(zip(sample.pred_instances.bboxes[:, 0].tolist(), sample.pred_instances.scores.tolist())), sample.scoring

    alone, scoring = scores(classes=['red'], background_names=[])
    assert alone == {0.0: pytest.approx(0.5), 32.0: pytest.approx(0.5)} and scoring['background'] == []
    beside, scoring = scores(classes=['red'], background_names=['green', 'RED'])
    assert beside == {0.0: pytest.approx(0.5, abs=1e-4)} and scoring['background'] == ['green']
    fusion = dict(type='florence.ScoreFusion', kind='sigmoid', midpoint=0.5)
    judged, scoring = scores(classes=['red'], score_fusion=fusion)
    assert judged == {0.0: pytest.approx(0.5, abs=1e-4), 32.0: pytest.approx((0.25 * 4.5e-5) ** 0.5, rel=0.01)}
    assert scoring['kind'] == 'sigmoid' and scoring['background'] == []


def test_the_generic_background_stands_beside_a_single_class_only():
    model = detector(classes=['red seven'])
    model.eval()
    assert model.test_step(batch())[0].scoring['background'] == list(GENERIC_BACKGROUND)
    model.set_classes(['red seven', 'blue two'])
    assert model.test_step(batch())[0].scoring['background'] == []


def test_a_random_bank_is_right_by_chance_only():
    """Nothing of the labels may leak into the naming: over random banks each of four classes is right in a quarter of cases."""
    model = detector(neck=FPN, classes=['a', 'b', 'c', 'd'])
    model.eval()
    data = model.data_preprocessor(batch())
    regions = model.find_regions(**data)
    right = total = 0
    for _ in range(400):
        bank = torch.nn.functional.normalize(torch.randn(4, 12), dim=1)
        model.text_bank.get = lambda *_, bank=bank: bank
        for sample in model.name_regions(regions, data['data_samples']):
            right += int(sample.pred_instances.labels[0] == 2)
            total += 1
    assert total == 800
    # Three standard deviations of 400 draws: the two images of a draw are alike.
    assert abs(right / total - 0.25) < 3 * (0.25 * 0.75 / 400) ** 0.5


def test_objectness_of_heads_with_a_centerness_branch_is_a_mean_of_factors():
    model = detector(neck=FPN)
    model.eval()
    data = model.data_preprocessor(batch())
    raw = model.rpn_head.predict(model.neck(model.image_maps(data['inputs'])), data['data_samples'])
    regions = model.find_regions(**data)
    assert torch.allclose(regions[0].objectness, raw[0].scores.sqrt())
    assert model.rpn_head.test_cfg.nms.iou_threshold == 0.9 and len(regions[0].boxes) <= 300


def test_tensor_mode_gives_the_raw_outputs_of_the_head():
    outputs = detector(neck=FPN)(torch.zeros(1, 3, 64, 64))
    assert [tuple(level.shape) for level in outputs[0]] == [(1, 1, 16, 16), (1, 1, 8, 8), (1, 1, 4, 4), (1, 1, 2, 2)]


def test_images_are_normalised_as_the_tower_was_trained():
    tower = {**TOWER, 'data_preprocessor': dict(type='ImageTextPreprocessor', mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 8.0))}
    model = detector(neck=FPN, two_tower=tower)
    bgr = torch.tensor([30, 20, 12], dtype=torch.uint8)[:, None, None].expand(3, 64, 64)
    data = batch(sizes=((64, 64),))
    data['inputs'] = [bgr]
    normalised = model.data_preprocessor(data)['inputs']
    assert normalised[0, :, 0, 0].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(rpn_head={**ATSS, 'num_classes': 3}), 'num_classes=1'),
        (dict(train_cfg=dict(assigner=dict(type='ATSSAssigner'))), 'in rpn, got assigner'),
        (dict(test_cfg=dict(score_thr=0.1)), 'no test_cfg.score_thr'),
        (dict(test_cfg=dict(rcnn=dict(max_per_image=10))), 'no test_cfg.rcnn.max_per_image'),
        (dict(test_cfg=dict(rcnn=dict(nms=dict(type='wbf')))), "must be one of ('nms', 'soft_nms')"),
        (dict(test_cfg=dict(rcnn=dict(max_per_img=-1))), 'max_per_img must be at least 1, got -1'),
        (dict(classes=[]), 'at least one class'),
        (dict(classes=['dog', ' ']), "name 1 is ' '"),
        (dict(classes='dog'), 'put a single name in a list'),
        (dict(score_fusion=dict(type='florence.ScoreFusion', kind='max')), "'softmax', 'sigmoid'"),
        (dict(score_fusion=dict(type='florence.ScoreFusion', objectness_weight=2)), '[0, 1]'),
        (dict(region_encoder=dict(type='florence.RoIRegionEncoder', crop_below=100.0)), 'give both or none'),
    ],
)
def test_mistakes_of_a_config_get_one_sentence(options, message):
    with pytest.raises(ValueError) as raised:
        detector(**options)
    assert message in str(raised.value)


def test_mistakes_of_a_call_get_one_sentence():
    model = detector(neck=FPN)
    model.eval()
    with pytest.raises(ValueError, match='no classes to detect'):
        model.test_step(batch())
    data = model.data_preprocessor(batch())
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor', got 'train'"):
        model(**data, mode='train')
    data['inputs'][1, 0, 3, 3] = float('nan')
    for mode in ('loss', 'predict'):
        with pytest.raises(ValueError, match='pixels of image 1.jpg are not finite'):
            model(**data, mode=mode)
    torch.nn.init.constant_(model.two_tower.image_proj.weight, float('inf'))
    with pytest.raises(ValueError, match='region features of image 0.jpg are not finite: check the weights'):
        model.test_step(batch())


def test_the_checkpoint_holds_everything():
    first, second = detector(classes=NAMES), detector(classes=NAMES)
    second.load_state_dict(first.state_dict())
    data = batch()
    one, two = (model.eval().test_step(copy.deepcopy(data))[0].pred_instances for model in (first, second))
    assert torch.equal(one.scores, two.scores) and torch.equal(one.bboxes, two.bboxes)


def test_mmdet_s_check_of_class_numbers_lets_the_head_pass():
    from types import SimpleNamespace

    from mmdet.engine.hooks import NumClassCheckHook

    dataset = SimpleNamespace(metainfo=dict(classes=tuple(NAMES)))
    NumClassCheckHook()._check_head(
        SimpleNamespace(model=detector(neck=FPN), train_dataloader=SimpleNamespace(dataset=dataset)), 'train'
    )


def test_a_module_can_be_given_in_place_of_a_config():
    tower = color_tower()
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(
            dict(
                type='florence.ZeroShotDetector',
                two_tower=tower,
                neck={**FPN, 'in_channels': [3, 3], 'num_outs': 4},
                rpn_head=ATSS,
            )
        )
    assert model.two_tower is tower and not any(p.requires_grad for p in tower.parameters())
