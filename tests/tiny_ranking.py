"""A ranking METER model small enough for tests in milliseconds, with and without two towers, and a small retrieval set."""

import torch
from tiny_meter import encoder_config, make_lively
from torch.utils.data import Dataset

from florence.models.vision_language import METERModel
from florence.structures import ImageTextSample

# Of one to ten words, so that texts of different length meet in a batch; one image repeats the first one's text.
CAPTIONS = [
    ('seven', 'a red seven'), ('a blue two',), ('the two is left of the large nine, above the one', 'nine'),
    ('a green four and a white zero on a grey ground',), ('six', 'a six', 'a cyan six below a five'), ('a red seven',),
    ('a large one right of a small eight',),
]  # fmt: skip


def two_tower_config(vocab_size: int = 300) -> dict:
    """A `TwoTower` for 32 px images."""
    sizes = dict(embed_dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), window_size=4)
    tower = dict(vocab_size=vocab_size, context_length=30, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=32)
    return dict(
        type='TwoTower',
        image_tower=dict(type='CoSwin', arch=sizes, drop_path_rate=0.0),
        text_tower=dict(type='TextTransformer', causal=False, pool='mean', token_init_std=0.3, **tower),
        tokenizer=dict(type='TrainedBPE', vocab_size=vocab_size, context_length=30),
        embed_dims=16,
    )


def tiny_ranker(two_tower: bool = True, head: dict | None = None, **encoder) -> METERModel:
    """A lively model in evaluation mode, the same whenever the seed is."""
    head = dict(type='RankingHead', two_tower=two_tower_config() if two_tower else None, **(head or {}))
    model = METERModel(encoder_config(**encoder), head)
    texts = [caption for own in CAPTIONS for caption in own] * 3
    model.tokenizer.tokenizer.train(texts)
    make_lively(model)
    if two_tower:
        model.head.two_tower.tokenizer.tokenizer.train(texts)
    return model.eval()


class TinyRetrievalSet(Dataset):
    """Noise with captions, packed as the pipeline does."""

    metainfo = {'dataset': 'noise'}

    def __len__(self) -> int:
        return len(CAPTIONS)

    def __getitem__(self, index: int) -> dict:
        pixels = torch.randint(0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(index), dtype=torch.uint8)
        sample = ImageTextSample(metainfo={'sample_id': str(index)})
        sample.captions = CAPTIONS[index]
        return {'inputs': pixels, 'data_samples': sample}


def collate(items: list[dict]) -> dict:
    """A list of samples as the model takes it."""
    return {'inputs': [item['inputs'] for item in items], 'data_samples': [item['data_samples'] for item in items]}


def brute_force(model: METERModel) -> torch.Tensor:
    """METER's protocol: the whole model for every pair; scores of images and captions `(N, M)`."""
    data = TinyRetrievalSet()
    inputs = model.data_preprocessor(collate([data[index] for index in range(len(data))]))['inputs']
    texts = [caption for own in CAPTIONS for caption in own]
    with torch.no_grad():
        rows = [
            torch.cat([model.head.score(model.encoder.pair_features(image[None], [text])) for text in texts]) for image in inputs
        ]
    return torch.cat(rows, 1).t()
