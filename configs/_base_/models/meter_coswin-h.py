# METER on Florence's CoSwin-H: 878 M parameters, of which 637 M are the image tower, 124 M RoBERTa-base (so the count says; the
# paper names no size) and 113 M six layers of co-attention in each stream. A recipe adds the head and says where weights come
# from.
model = dict(
    type='METERModel',
    encoder=dict(
        image_tower=dict(type='CoSwin', arch='huge', window_size=12),
        text_tower=dict(type='RobertaEncoder', arch='base'),
        tokenizer=dict(type='HFTokenizer', name_or_path='roberta-base', context_length=50),
        fusion=dict(type='METERFusion', embed_dims=768, num_layers=6, num_heads=12),
    ),
)
