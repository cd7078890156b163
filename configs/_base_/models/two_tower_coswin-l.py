# CoSwin-L (202.8 M) with a 12-layer, 768-wide text tower.
model = dict(
    type='TwoTower',
    image_tower=dict(type='CoSwin', arch='large'),
    text_tower=dict(type='TextTransformer', arch='large'),
    tokenizer=dict(type='CLIPTokenizer', context_length=76),
    embed_dims=768,
)
