# CoSwin-T (29.5 M) with UniCL's 12-layer, 512-wide text tower (63 M).
model = dict(
    type='TwoTower',
    image_tower=dict(type='CoSwin', arch='tiny'),
    text_tower=dict(type='TextTransformer', arch='tiny'),
    tokenizer=dict(type='CLIPTokenizer', context_length=76),
    embed_dims=512,
)
