# METER-CoSwin-H that ranks what the frozen two towers of Florence (893 M parameters) propose. A recipe names the weights of the
# two towers.
_base_ = './meter_coswin-h.py'
model = dict(
    head=dict(
        type='RankingHead',
        two_tower=dict(
            type='TwoTower',
            image_tower=dict(type='CoSwin', arch='huge', window_size=12),
            text_tower=dict(type='TextTransformer', arch='huge'),
            tokenizer=dict(type='CLIPTokenizer', context_length=76),
            embed_dims=1024,
        ),
        num_negatives=15,
    ),
)
