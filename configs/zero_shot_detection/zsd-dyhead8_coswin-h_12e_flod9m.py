# Proposals for zero-shot detection (arXiv 2111.11432, section 3.6): behind the frozen CoSwin-H a Dynamic Head of eight blocks
# learns on FLOD-9M where objects are, whatever they are called; 12 epochs, batch 128. Paper: 41.5 mAP over eleven sets by
# names alone (tools/leaderboards/odinw.py).
#   bash tools/dist_train.sh configs/zero_shot_detection/zsd-dyhead8_coswin-h_12e_flod9m.py 8 --amp
# Hardware: the paper pretrained on 128 A100 for seven days.
_base_ = [
    '../_base_/models/atss_head.py',
    '../_base_/detection_runtime.py',
    '../_base_/models/two_tower_coswin-h.py',
    '../_base_/datasets/flod9m_detection.py',
    '../_base_/schedules/detection_12e.py',
]
two_tower = _base_.model
two_tower.update(
    _scope_='florence',
    init_cfg=dict(type='Pretrained', checkpoint='work_dirs/unicl_coswin-h_stage3-80k-384_fld900m/iter_80000.pth'),
)
two_tower.image_tower.update(window_size=12, out_indices=(1, 2, 3))
head = _base_.atss_head
head.update(num_classes=1)
head.loss_cls.update(type='florence.FederatedFocalLoss')
model = dict(
    _delete_=True,
    type='florence.ZeroShotDetector',
    two_tower=two_tower,
    neck=[
        dict(type='FPN', in_channels=[512, 1024, 2048], out_channels=256, add_extra_convs='on_output', num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=8, with_cp=True),
    ],
    rpn_head=head,
    train_cfg=dict(rpn=dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1)),
    # What a cell of stride 32 blurs is cut out and encoded by itself.
    region_encoder=dict(
        type='florence.RoIRegionEncoder',
        crop_below=64**2,
        crop_encoder=dict(type='florence.CropRegionEncoder', image_size=384),
    ),
    templates='openai_imagenet',
    text_bank_dir='work_dirs/text_banks',
)
train_dataloader = dict(batch_size=16)
# Each epoch ends with COCO by the names of its classes alone.
