# Florence-2 at the size of digit scenes: DaViT-nano up to its third stage, a map of 6 x 6 for 48 px, and two layers of encoder
# and decoder; the vocabulary is learned from the texts of the training set.
model = dict(
    type='Florence2',
    vision_tower=dict(type='DaViT', arch='nano', out_indices=(2,)),
    language_model=dict(
        arch=dict(embed_dims=128, num_layers=2, num_heads=4, mlp_dims=512),
        max_positions=512,
        drop_rate=0.0,
        init_std=128**-0.5,  # BART's 0.02 suits a width of 768: at 128 signals would shrink fourfold in every layer
    ),
    projector=dict(max_map_size=32, position_std=1.0),
    tokenizer=dict(type='Florence2Tokenizer', vocabulary='trained', vocab_size=1600, context_length=512),
    smooth_locations=True,
    search=dict(num_beams=1, no_repeat_ngram_size=0, max_new_tokens=120),
)
custom_hooks = [dict(type='TrainTokenizerHook')]
