# Two towers for 32 to 64 px images on a CPU; the tokenizer learns its vocabulary from the training captions. Word order matters
# little in short captions: the mean over all words learns faster than the end token.
model = dict(
    type='TwoTower',
    image_tower=dict(type='CoSwin', arch='nano'),
    text_tower=dict(
        type='TextTransformer',
        vocab_size=512,
        embed_dims=96,
        num_layers=2,
        num_heads=4,
        mlp_dims=384,
        causal=False,
        pool='mean',
        token_init_std=0.3,
    ),
    tokenizer=dict(type='TrainedBPE', vocab_size=512, context_length=76),
    embed_dims=256,
)
custom_hooks = [dict(type='TrainTokenizerHook')]
