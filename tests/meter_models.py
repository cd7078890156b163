"""A small METER with RoBERTa and a Swin, and a state dict in the form of METER's release that fits it."""

import torch
from torch import Tensor, nn

from florence.models.language import BaseTokenizer, TrainedBPE
from florence.models.vision_language import METEREncoder, METERModel
from florence.registry import TOKENIZERS

CAPTIONS = ['a red seven above a blue two', 'a green nine on a grey ground', 'a small cyan four', 'a large orange zero'] * 5
ARCH = dict(embed_dims=(8, 16, 32, 64), depths=(1, 1, 2, 1), num_heads=(1, 2, 2, 4), window_size=4)
VOCAB = 300


def trained_tokenizer(**options) -> BaseTokenizer:
    tokenizer = TOKENIZERS.build({'type': 'TrainedBPE', 'vocab_size': VOCAB, 'mask_token': True, **options})
    assert isinstance(tokenizer, TrainedBPE)
    tokenizer.train(CAPTIONS)
    return tokenizer


def small_encoder(num_images: int = 1, **image_tower) -> METEREncoder:
    """Two layers of RoBERTa 24 wide, two of fusion 32 wide, without dropout."""
    encoder = METEREncoder(
        image_tower=dict(type='florence.CoSwin', arch=ARCH, drop_path_rate=0.0, **image_tower),
        text_tower=dict(
            type='florence.RobertaEncoder', vocab_size=VOCAB, embed_dims=24, num_layers=2, num_heads=2, mlp_dims=48,
            context_length=40, drop_rate=0.0, attn_drop_rate=0.0,
        ),
        tokenizer=dict(type='florence.TrainedBPE', vocab_size=VOCAB, mask_token=True),
        fusion=dict(type='florence.METERFusion', embed_dims=32, num_layers=2, num_heads=2, drop_rate=0.0, attn_drop_rate=0.0),
        num_images=num_images,
    )  # fmt: skip
    encoder.tokenizer.tokenizer.train(CAPTIONS)
    return encoder


def small_meter(head: dict, num_images: int = 1, **image_tower) -> METERModel:
    return METERModel(small_encoder(num_images, **image_tower), head)


def randomise(module: nn.Module, std: float = 0.2) -> None:
    """Weights for comparisons: none of them zero or one."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)


def linear(weights: dict[str, Tensor], name: str, outputs: int, inputs: int) -> None:
    weights[f'{name}.weight'], weights[f'{name}.bias'] = torch.randn(outputs, inputs), torch.randn(outputs)


def norm(weights: dict[str, Tensor], name: str, size: int) -> None:
    weights[f'{name}.weight'], weights[f'{name}.bias'] = torch.randn(size), torch.randn(size)


def bert_layer(weights: dict[str, Tensor], name: str, size: int, hidden: int, attentions=('attention',)) -> None:
    for attention in attentions:
        for part in ('query', 'key', 'value'):
            linear(weights, f'{name}.{attention}.self.{part}', size, size)
        linear(weights, f'{name}.{attention}.output.dense', size, size)
        norm(weights, f'{name}.{attention}.output.LayerNorm', size)
    linear(weights, f'{name}.intermediate.dense', hidden, size)
    linear(weights, f'{name}.output.dense', size, hidden)
    norm(weights, f'{name}.output.LayerNorm', size)


def official_meter(swin: dict[str, Tensor], head: str, num_token_types: int = 2) -> dict[str, Tensor]:
    """Random weights under the names of meter_module.py and of transformers' RobertaModel, of the sizes of `small_encoder`."""
    weights = {f'vit_model.{key}': value for key, value in swin.items()}
    weights['token_type_embeddings.weight'] = torch.randn(num_token_types, 32)
    linear(weights, 'cross_modal_text_transform', 32, 24)
    linear(weights, 'cross_modal_image_transform', 32, 64)
    text = 'text_transformer.'
    weights[text + 'embeddings.word_embeddings.weight'] = torch.randn(VOCAB, 24)
    weights[text + 'embeddings.position_embeddings.weight'] = torch.randn(42, 24)
    weights[text + 'embeddings.token_type_embeddings.weight'] = torch.randn(1, 24)
    norm(weights, text + 'embeddings.LayerNorm', 24)
    for layer in range(2):
        bert_layer(weights, f'{text}encoder.layer.{layer}', 24, 48)
        for stream in ('text', 'image'):
            bert_layer(weights, f'cross_modal_{stream}_layers.{layer}', 32, 128, ('attention', 'crossattention'))
    for stream in ('text', 'image'):
        linear(weights, f'cross_modal_{stream}_pooler.dense', 32, 32)
    if head == 'pretrain':
        linear(weights, 'mlm_score.transform.dense', 32, 32)
        norm(weights, 'mlm_score.transform.LayerNorm', 32)
        weights['mlm_score.decoder.weight'], weights['mlm_score.bias'] = torch.randn(VOCAB, 32), torch.randn(VOCAB)
        linear(weights, 'itm_score.fc', 2, 64)
    else:
        inputs, classes = {'vqa': (64, 5), 'snli': (64, 3), 'nlvr2': (128, 2)}[head]
        linear(weights, f'{head}_classifier.0', 64, inputs)
        norm(weights, f'{head}_classifier.1', 64)
        linear(weights, f'{head}_classifier.3', classes, 64)
    return weights
