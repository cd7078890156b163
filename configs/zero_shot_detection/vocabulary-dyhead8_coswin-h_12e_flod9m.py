# Semantic pretraining on FLOD-9M, from which detectors are fine-tuned (arXiv 2111.11432, section 2.4): 25,190 classes told by
# the embeddings of their names, 256 of them in each batch; 12 epochs, batch 128. The paper does not say how so many classes
# were learned.
#   bash tools/dist_train.sh configs/zero_shot_detection/vocabulary-dyhead8_coswin-h_12e_flod9m.py 8 --amp
# Before: tools/misc/write_name_embeddings.py writes the embeddings of the names. Hardware: the paper pretrained on 128 A100
# for seven days.
_base_ = [
    '../_base_/models/atss_head.py',
    '../_base_/detection_runtime.py',
    '../_base_/datasets/flod9m_detection.py',
    '../_base_/schedules/detection_12e.py',
]
head = _base_.atss_head
head.loss_cls.update(type='florence.FederatedFocalLoss')
model = dict(
    type='florence.VocabularyDetector',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='florence.CoSwin',
        arch='huge',
        window_size=12,
        out_indices=(1, 2, 3),
        with_cp=True,
        init_cfg=dict(
            type='Pretrained',
            prefix='image_tower.',
            checkpoint='work_dirs/unicl_coswin-h_stage3-80k-384_fld900m/iter_80000.pth',
        ),
    ),
    neck=[
        dict(type='FPN', in_channels=[512, 1024, 2048], out_channels=256, add_extra_convs='on_output', num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=8, with_cp=True),
    ],
    bbox_head=head,
    name_embeddings='data/flod9m/name_embeddings.pth',
    vocabulary_size=256,
    train_cfg=dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(nms_pre=1000, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100),
)
train_dataloader = dict(batch_size=16)
