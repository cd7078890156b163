"""A caption model small enough for tests in seconds."""

import torch

from florence.models.vision_language import METERModel
from florence.structures import ImageTextSample

TEXTS = ['a red seven', 'a large blue two above a small green three', 'an orange one on a grey ground']
ROBERTA = dict(type='RobertaEncoder', vocab_size=300, context_length=40, embed_dims=24, num_layers=1, num_heads=2, mlp_dims=32)
TRANSFORMER = dict(ROBERTA, type='TextTransformer')


def tiny_captioner(*, text_tower: dict = TRANSFORMER, mode: str = 'co_attention', with_cp: bool = False, **head) -> METERModel:
    """In evaluation mode, with random weights that differ everywhere and a trained tokenizer."""
    encoder = dict(
        image_tower=dict(
            type='CoSwin', arch=dict(embed_dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), window_size=4)
        ),
        text_tower=text_tower,
        tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=40),
        fusion=dict(type='METERFusion', embed_dims=32, num_layers=3, num_heads=4, mode=mode, with_cp=with_cp),
    )
    model = METERModel(encoder, dict(type='CaptionHead', **head))
    model.tokenizer.tokenizer.train(TEXTS * 3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if 'image_tower' not in name:
                parameter.normal_(std=0.2)
                if 'norm' in name and name.endswith('weight'):
                    parameter.add_(1)
    return model.eval()


def samples(texts: list[str] | None = None) -> list[ImageTextSample]:
    """One sample per text."""
    result = []
    for index, text in enumerate(TEXTS if texts is None else texts):
        sample = ImageTextSample(metainfo={'sample_id': str(index)})
        sample.text = text
        result.append(sample)
    return result
