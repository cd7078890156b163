# UperNet (arXiv 1807.10221) over Florence-2's base tower, with an auxiliary head on the third map. Another tower changes arch and
# init_cfg; `model.backbone.frozen_stages=K` keeps the stem and the first K stages as they were pretrained. Without several GPUs
# the norm_cfg of both heads is dict(type='BN').
norm_cfg = dict(type='SyncBN')
model = dict(
    type='florence.SemanticSegmentor',
    backbone=dict(
        type='florence.DaViT',
        arch='florence2-base',
        out_indices=(0, 1, 2, 3),
        out_norms=True,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/davit_florence2-b.pth'),
    ),
    decode_head=dict(type='florence.UPerHead', num_classes=150, channels=512, norm_cfg=norm_cfg),
    auxiliary_head=dict(type='florence.FCNHead', num_classes=150, channels=256, norm_cfg=norm_cfg),
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_seg=True,
        seg_pad_value=255,
    ),
)
