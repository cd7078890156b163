# METER for 64 px images on a CPU: cells of the last two maps of CoSwin-nano (16 + 4 tokens), a small RoBERTa whose tokenizer
# learns its vocabulary from the training texts, two layers of co-attention. A recipe adds the head.
model = dict(
    type='METERModel',
    encoder=dict(
        image_tower=dict(type='CoSwin', arch='nano', out_indices=(2, 3)),
        text_tower=dict(
            type='RobertaEncoder',
            vocab_size=640,
            context_length=76,
            embed_dims=128,
            num_layers=2,
            num_heads=4,
            mlp_dims=512,
            drop_rate=0.0,
            attn_drop_rate=0.0,
            init_std=0.08,
        ),
        tokenizer=dict(type='TrainedBPE', vocab_size=640, context_length=76, mask_token=True),
        fusion=dict(
            type='METERFusion',
            embed_dims=128,
            num_layers=2,
            num_heads=4,
            drop_rate=0.0,
            attn_drop_rate=0.0,
            init_std=0.08,
        ),
        grid_positions=True,
        init_std=0.08,
    ),
)
custom_hooks = [dict(type='TrainTokenizerHook')]
