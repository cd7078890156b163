# Two towers for 32 to 64 px images on a CPU; the tokenizer learns its vocabulary from the training captions.
model = dict(
    type='TwoTower',
    image_tower=dict(type='CoSwin', arch='nano'),
    text_tower=dict(type='TextTransformer', arch='nano', vocab_size=512),
    tokenizer=dict(type='TrainedBPE', vocab_size=512, context_length=76),
    embed_dims=256,
)
custom_hooks = [dict(type='TrainTokenizerHook')]
