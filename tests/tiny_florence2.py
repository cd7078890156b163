"""Transformers' Florence-2 with small random weights, and ours with the same ones."""

import functools

import torch
from torch import Tensor, nn

from florence.models.converters.florence2 import florence2_to_florence
from florence.models.florence2 import Florence2
from florence.models.language import Florence2Tokenizer, TokenizerModule
from florence.structures import ImageTextSample

VOCAB_SIZE, POSITIONS = 1300, 96
IMAGE_ID = 3  # <unk>, which no text of ours holds
PROMPTS = ['Locate the dogs in the image.', 'What does the image describe?', 'Locate <loc_5><loc_7>', 'What?']
TARGETS = ['dog<loc_1><loc_2><loc_30><loc_40>', 'two dogs and a cat on the grass', '', 'cat']
SIZES = dict(embed_dims=32, num_layers=2, num_heads=4, mlp_dims=64)


@functools.cache
def tokenizer_state(vocab_size: int = VOCAB_SIZE) -> Tensor:
    """State of a trained tokenizer."""
    words = Florence2Tokenizer('trained', vocab_size=vocab_size)
    words.train(PROMPTS + TARGETS)
    return TokenizerModule(words).get_extra_state()


def hf_florence2(init_std: float = 0.02) -> nn.Module:
    """`Florence2ForConditionalGeneration` of about 0.3 M weights, without dropout."""
    from transformers import Florence2Config, Florence2ForConditionalGeneration

    text = dict(
        model_type='bart', vocab_size=VOCAB_SIZE, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=POSITIONS, dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0, init_std=init_std, initializer_range=init_std, bos_token_id=0,
        pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
    )  # fmt: skip
    vision = dict(
        depths=[1, 1, 2, 1], embed_dim=[8, 16, 32, 64], num_heads=[1, 2, 4, 8], num_groups=[1, 2, 4, 8], window_size=4,
        drop_path_rate=0.0, projection_dim=32, max_temporal_embeddings=10, max_position_embeddings=10,
    )  # fmt: skip
    torch.manual_seed(0)
    config = Florence2Config(text_config=text, vision_config=vision, image_token_id=IMAGE_ID)
    model = Florence2ForConditionalGeneration(config).eval()
    with torch.no_grad():
        # Like the tokens that random weights often want: so answers end.
        model.lm_head.weight[2] = 1.2 * model.lm_head.weight[[246, 272, 398, 1237, 1293]].mean(0)
    return model


def tiny_florence2(vocab_size: int = VOCAB_SIZE, **options) -> Florence2:
    """Ours of the same sizes, in evaluation mode; `with_cp` goes to the tower and the language model, `new_tokens` to the
    tokenizer, `vision_tower` is another tower.
    """
    with_cp = options.pop('with_cp', False)
    tower = dict(embed_dims=(8, 16, 32, 64), depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), window_size=4, drop_path_rate=0.0)
    new = options.pop('new_tokens', ())
    words = dict(vocabulary='trained', vocab_size=vocab_size, context_length=POSITIONS, new_tokens=new)
    model = Florence2(
        options.pop('vision_tower', None) or dict(type='DaViT', arch=tower, with_cp=with_cp),
        dict(arch=SIZES, max_positions=POSITIONS, drop_rate=0.0, with_cp=with_cp),
        dict(type='Florence2Tokenizer', **words),
        projector=dict(max_map_size=10, max_frames=10),
        **options,
    )
    model.tokenizer.set_extra_state(tokenizer_state(vocab_size))
    return model.eval()


def same_weights(hf: nn.Module, **options) -> Florence2:
    """Ours with the weights of transformers' model."""
    model = tiny_florence2(**options)
    model.load_state_dict(convert(hf.state_dict()))
    return model


def convert(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Ours from the state dict of transformers' model."""
    return florence2_to_florence(state_dict, VOCAB_SIZE, extra_states={'tokenizer._extra_state': tokenizer_state()})


def samples(number: int) -> list[ImageTextSample]:
    """With `prompt`, `target` and a name."""
    fields = zip(PROMPTS, TARGETS, strict=True)
    found = [ImageTextSample(metainfo=dict(sample_id=f's{i}'), prompt=p, target=t) for i, (p, t) in enumerate(fields)]
    return found[:number]


def hf_inputs(model: Florence2, images: Tensor, prompts: list[str], num_image_tokens: int) -> dict[str, Tensor]:
    """What transformers' model takes: image ids at the head of the prompt."""
    encoded = model.tokenizer.encode(prompts)
    head = torch.full((len(prompts), num_image_tokens), IMAGE_ID)
    return dict(
        pixel_values=images,
        input_ids=torch.cat([head, encoded['input_ids']], 1),
        attention_mask=torch.cat([torch.ones_like(head), encoded['attention_mask']], 1),
    )
