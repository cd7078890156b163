# CoSwin-L: stage 1 of Florence's pretraining (arXiv 2111.11432, section 2.2): 1,000,000 iterations of 24,576 pairs at 224
# px, short texts expanded by templates. Learning rate, decay and warm-up are not in the paper; these are the field's.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-l_stage1-1m_fld900m.py 8   (on each of 64 machines of 8 GPUs)
# Hardware: 512 GPUs of 40 GB. Not run here; the paper's H reaches 83.74 % zero-shot top-1 on ImageNet after all stages.
_base_ = './unicl_coswin-h_stage1-1m_fld900m.py'
model = dict(image_tower=dict(arch='large'), text_tower=dict(arch='large'), embed_dims=768)
