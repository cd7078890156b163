"""Tiny two-tower models, batches and optimizer wrappers for the tests of the gradient cache, in one process and in several."""

import torch
from mmengine.optim import OptimWrapper

from florence.models.data_preprocessors import ImageTextPreprocessor
from florence.models.two_tower import TwoTower
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label

CAPTIONS = ['a red seven', 'a blue two', 'a large green nine', 'one five', 'two small pink sixes']


class DoublePreprocessor(ImageTextPreprocessor):
    """fp64 images, so that rounding cannot hide an error."""

    def forward(self, data, training=False):
        data = super().forward(data, training)
        return {**data, 'inputs': data['inputs'].double()}


class GradientRecorder(OptimWrapper):
    """Takes no step, keeps the gradients that a step would have used."""

    def __init__(self, model):
        super().__init__(torch.optim.SGD(model.parameters(), lr=0.0))
        self.names = {parameter: name for name, parameter in model.named_parameters()}

    def step(self, **kwargs):
        self.gradients = {name: parameter.grad.clone() for parameter, name in self.names.items()}


def build(random=False, double=True, with_cp=False):
    """A model of a few thousand weights, the same at every call; `random`: with dropout and drop path."""
    torch.manual_seed(7)
    model = TwoTower(
        image_tower=dict(
            type='CoSwin',
            arch=dict(embed_dims=(8, 16, 16, 24), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4),
            with_cp=with_cp,
            **(dict(drop_rate=0.2, attn_drop_rate=0.2, drop_path_rate=0.4) if random else {}),
        ),
        text_tower=dict(
            type='TextTransformer',
            vocab_size=300,
            embed_dims=16,
            num_layers=2,
            num_heads=2,
            mlp_dims=32,
            with_cp=with_cp,
            drop_path_rate=0.4 if random else 0.0,
        ),
        tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=32),
        embed_dims=12,
        data_preprocessor=DoublePreprocessor() if double else None,
    )
    model.tokenizer.tokenizer.train(CAPTIONS)
    return (model.double() if double else model).train()


def batch(size, first=0):
    """Samples `first` to `first + size` of an endless list; captions repeat after the fifth."""
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    texts = [CAPTIONS[index % len(CAPTIONS)] for index in range(first, first + size)]
    samples = [ImageTextSample(metainfo=dict(sample_id=text)) for text in texts]
    for sample, text in zip(samples, texts, strict=True):
        sample.set_data(dict(text=text, label=text_label(text)))
    return dict(inputs=list(images[first : first + size]), data_samples=samples)


def gradients_of(loss, model):
    """Gradient of every parameter, by name."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def largest_error(got, expected):
    """Largest error of any tensor, relative to the largest value of that tensor.

    Gradients that are zero but for rounding, as that of the bias of the keys in attention, are measured by the largest
    tensor's values.
    """
    assert got.keys() == expected.keys()
    largest = max(value.abs().max() for value in expected.values())
    rounding = 100 * torch.finfo(next(iter(expected.values())).dtype).eps * largest
    errors = []
    for name, value in expected.items():
        scale = value.abs().max()
        errors.append((got[name] - value).abs().max() / (scale if scale > rounding else largest))
    return max(errors).item()
