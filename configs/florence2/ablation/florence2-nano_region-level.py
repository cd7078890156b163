# Texts of images, and regions with phrases.
#   bash tools/florence2_ablation.sh
_base_ = './florence2-nano_image-level.py'
with_regions = {
    **_base_.texts_of_images,
    '<OD>': 2,
    '<DENSE_REGION_CAPTION>': 1,
    '<REGION_PROPOSAL>': 1,
    '<CAPTION_TO_PHRASE_GROUNDING>': 2,
    '<OPEN_VOCABULARY_DETECTION>': 1,
    '<REGION_TO_CATEGORY>': 1,
}
train_dataloader = dict(dataset=dict(pipeline=[dict(_base_.draw, tasks=with_regions), dict(type='PackImageText')]))
