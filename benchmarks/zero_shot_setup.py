"""The zero-shot detector that benchmarks measure, with random weights: CoSwin, FPN, Dynamic Head, ATSS, and a tower of text."""

import argparse

import torch
from mmengine.registry import DefaultScope

import florence  # noqa: F401  (first: it mends mmcv and mmdet for current versions)
from florence.models.detectors import ZeroShotDetector
from florence.registry import MODELS


def build_detector(args: argparse.Namespace, **options) -> ZeroShotDetector:
    """The detector, in evaluation mode.

    Args:
        args: `arch`, CoSwin's; `blocks`, of Dynamic Head; `text_layers`.
        options: Further arguments of `ZeroShotDetector`.
    """
    torch.manual_seed(0)
    tower = MODELS.get('florence.CoSwin')(arch=args.arch, out_indices=(1, 2, 3))
    two_tower = dict(
        type='florence.TwoTower',
        _scope_='florence',
        image_tower=tower,
        text_tower=dict(
            type='TextTransformer', vocab_size=2000, embed_dims=512, num_layers=args.text_layers, num_heads=8, mlp_dims=2048
        ),
        tokenizer=dict(type='TrainedBPE', vocab_size=2000, context_length=32),
        embed_dims=512,
    )
    head = dict(
        type='mmdet.ATSSHead',
        num_classes=1,
        in_channels=256,
        feat_channels=256,
        stacked_convs=0,
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], octave_base_scale=8, scales_per_octave=1, strides=[8, 16, 32, 64, 128]
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    )
    fpn = dict(type='mmdet.FPN', in_channels=tower.out_channels, out_channels=256, num_outs=5, add_extra_convs='on_output')
    dyhead = dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=args.blocks)
    with DefaultScope.overwrite_default_scope('mmdet'):
        cfg = dict(type='florence.ZeroShotDetector', two_tower=two_tower, neck=[fpn, dyhead], rpn_head=head, **options)
        return MODELS.build(cfg).eval()


def one_image(height: int, width: int) -> tuple[torch.Tensor, list]:
    """A normalised image and its data sample."""
    from mmdet.structures import DetDataSample

    meta = dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0), img_id=0)
    return torch.randn(1, 3, height, width), [DetDataSample(metainfo=meta)]
