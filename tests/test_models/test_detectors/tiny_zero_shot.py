"""A zero-shot detector small enough for tests, its batches, and towers that name the colour of a region without training."""

import torch
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from florence.models.two_tower import TwoTower
from florence.registry import MODELS

NAMES = ['red seven', 'blue two', 'green nine']
TOWER = dict(
    type='florence.TwoTower',
    _scope_='florence',
    image_tower=dict(
        type='CoSwin',
        arch=dict(embed_dims=(8, 16, 16, 24), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4),
        out_indices=(0, 1, 2, 3),
    ),
    text_tower=dict(type='TextTransformer', vocab_size=300, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=32),
    tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=32),
    embed_dims=12,
)
ATSS = dict(
    type='mmdet.ATSSHead',
    num_classes=1,
    in_channels=16,
    feat_channels=16,
    stacked_convs=0,
    anchor_generator=dict(type='AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=[4, 8, 16, 32]),
    bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
)
FPN = dict(type='mmdet.FPN', in_channels=[8, 16, 16, 24], out_channels=16, num_outs=4)
DETECTOR = dict(
    type='florence.ZeroShotDetector',
    two_tower=TOWER,
    neck=[FPN, dict(type='florence.DyHead', in_channels=16, out_channels=16, num_blocks=1)],
    rpn_head=ATSS,
    train_cfg=dict(rpn=dict(assigner=dict(type='ATSSAssigner', topk=4), allowed_border=-1, pos_weight=-1)),
)


def detector(**options):
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build({**DETECTOR, **options})
    model.init_weights()
    tokenizer = getattr(model.two_tower.tokenizer, 'tokenizer', None)
    if hasattr(tokenizer, 'train'):
        tokenizer.train(NAMES)
    return model


def batch(sizes=((64, 96), (96, 64)), scale=1.0, dtype=torch.uint8):
    """Two noisy images with two boxes each, as mmdet's pipelines give them."""
    samples = []
    for index, (height, width) in enumerate(sizes):
        meta = dict(img_id=index, img_path=f'{index}.jpg', img_shape=(height, width), scale_factor=(scale, scale))
        sample = DetDataSample(metainfo=dict(**meta, ori_shape=(round(height / scale), round(width / scale))))
        boxes = torch.tensor([[8.0, 8.0, 40.0, 48.0], [30.0, 20.0, 60.0, 60.0]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([2, 1]))
        samples.append(sample)
    return dict(inputs=[torch.randint(0, 256, (3, *size)).to(dtype) for size in sizes], data_samples=samples)


class ColorTower(nn.Module):
    """A map of mean colours, stride 8: what a well trained image tower would see of plain squares."""

    embed_dims = 3

    def forward(self, images):
        return tuple(nn.functional.avg_pool2d(images, stride) for stride in (4, 8))


class ColorWords(nn.Module):
    """The axis of the colour whose token comes first."""

    embed_dims = 3

    def forward(self, input_ids, attention_mask):
        return nn.functional.one_hot(input_ids[:, 0], 3).float()


class ColorTokenizer:
    """One token per text: which colour it names."""

    def __call__(self, texts):
        ids = torch.tensor([[next(i for i, color in enumerate(('red', 'green', 'blue')) if color in text)] for text in texts])
        return dict(input_ids=ids, attention_mask=torch.ones_like(ids))

    def state(self):
        return dict(type='ColorTokenizer')


class GivenBoxes(nn.Module):
    """A head that proposes known boxes."""

    num_classes = 1

    def __init__(self, boxes, scores):
        super().__init__()
        self.boxes, self.scores = boxes, scores

    def predict(self, pyramid, data_samples, rescale):
        return [InstanceData(bboxes=self.boxes.clone(), scores=self.scores.clone()) for _ in data_samples]


def color_tower():
    """A two-tower model that is right about colours."""
    from florence.registry import TOKENIZERS

    if 'ColorTokenizer' not in TOKENIZERS:
        TOKENIZERS.register_module(module=ColorTokenizer)
    model = TwoTower(ColorTower(), ColorWords(), tokenizer=dict(type='ColorTokenizer'), embed_dims=3, logit_scale_init=20.0)
    for proj in (model.image_proj, model.text_proj):
        nn.init.eye_(proj.weight)
    return model.eval()


def color_detector(boxes, scores, **options):
    """The zero-shot detector around it, on given proposals."""
    tower = color_tower()
    return MODELS.build(
        dict(
            type='ZeroShotDetector', two_tower=tower, neck=nn.Identity(), rpn_head=GivenBoxes(boxes, scores),
            data_preprocessor=dict(
                type='mmdet.DetDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True, pad_size_divisor=8
            ),
            **options,
        )
    ).eval()  # fmt: skip
