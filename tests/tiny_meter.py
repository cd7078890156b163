"""A METER model small enough for tests in milliseconds: 32 px images, cells of the last two maps (4 + 1 tokens)."""

import torch

from florence.models.vision_language import METEREncoder, METERModel
from florence.structures import ImageTextSample

QUESTIONS = ['what color is the seven?', 'how many?', 'is the two left of the one, or is it above the large nine?']
ANSWERS = ['yes', 'no', 'red', '2', 'seven', 'navy', 'blue']
VQA = dict(type='VQAHead', answers=ANSWERS)
SENTENCE = dict(type='SentenceHead', classes=('no', 'maybe', 'yes'))


def encoder_config(mode: str = 'co_attention', with_cp: bool = False, vocab_size: int = 300, **options) -> dict:
    """Arguments of a `METEREncoder`."""
    sizes = dict(embed_dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), window_size=4)
    tower = dict(vocab_size=vocab_size, context_length=30, embed_dims=24, num_layers=1, num_heads=2, mlp_dims=32)
    return dict(
        image_tower=dict(type='CoSwin', arch=sizes, out_indices=(2, 3), drop_path_rate=0.0),
        text_tower=dict(type='TextTransformer', causal=False, pool='first', **tower),
        tokenizer=dict(type='TrainedBPE', vocab_size=vocab_size, context_length=30),
        fusion=dict(
            type='METERFusion', embed_dims=32, num_layers=2, num_heads=4, mode=mode, with_cp=with_cp, drop_rate=0.0,
            attn_drop_rate=0.0,
        ),
        grid_positions=True,
        **options,
    )  # fmt: skip


def make_lively(module: torch.nn.Module) -> None:
    """Weights large enough for outputs to depend on everything, and a trained tokenizer."""
    encoder = module.encoder if isinstance(module, METERModel) else module
    assert isinstance(encoder, METEREncoder)
    if not encoder.tokenizer.tokenizer.is_trained:
        encoder.tokenizer.tokenizer.train(QUESTIONS * 3)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if 'image_tower' not in name:
                parameter.normal_(std=0.2)
                if 'norm' in name and name.endswith('weight'):
                    parameter.add_(1)


def tiny_meter(head: dict | None = None, **encoder) -> METERModel:
    """A lively model in evaluation mode."""
    model = METERModel(encoder_config(**encoder), head or VQA)
    make_lively(model)
    return model.eval()


def make_samples(texts=QUESTIONS, paths=None, **fields) -> list[ImageTextSample]:
    """A sample per text; `fields` are lists with a value for each."""
    samples = []
    for index, text in enumerate(texts):
        sample = ImageTextSample(metainfo={'sample_id': str(index)})
        if paths is not None:
            sample.set_metainfo({'img_path': paths[index]})
        sample.text = text
        for name, values in fields.items():
            sample.set_field(values[index], name)
        samples.append(sample)
    return samples


def make_images(count: int = 3, size: int = 32) -> torch.Tensor:
    """`(B, 3, H, W)`, as if normalised."""
    return torch.randn(count, 3, size, size)
