# Florence-2 base (arXiv 2311.06242, table 12): 231.4 M parameters. The files of the vocabulary, tokenizer.json of the release or
# its parts, lie in data/florence2/.
model = dict(
    type='Florence2',
    vision_tower=dict(type='DaViT', arch='florence2-base'),
    language_model=dict(arch='base', max_positions=1024),
    tokenizer=dict(type='Florence2Tokenizer', vocabulary='data/florence2', context_length=1024),
)
