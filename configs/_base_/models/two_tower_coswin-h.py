# Florence: CoSwin-H (637 M) and a 12-layer, 1152-wide text tower (256 M), 893 M in all; the paper gives the counts, not the
# widths.
model = dict(
    type='TwoTower',
    image_tower=dict(type='CoSwin', arch='huge'),
    text_tower=dict(type='TextTransformer', arch='huge'),
    tokenizer=dict(type='CLIPTokenizer', context_length=76),
    embed_dims=1024,
)
