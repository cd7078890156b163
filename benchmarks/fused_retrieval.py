"""Image-text retrieval by a fusion model on digit scenes: METER's protocol beside ours, same weights, images, texts and thread.

    python benchmarks/fused_retrieval.py --json benchmarks/reports/fused_retrieval.json
    python benchmarks/fused_retrieval.py --items 100 --brute-pairs 2000

    brute_force   METER's `compute_irtr_recall`: image tower, text tower and fusion for every pair, batch by batch
    exact         each image and text encoded once, every pair fused, the same scores
    top_k         two towers first, the `--top-k` candidates of each query fused in both directions

All figures are of the whole evaluation, encoding and the search for candidates included. `ratio` is the time of `brute_force`
over the contestant's. With `--brute-pairs` the protocol is measured on so many random pairs and its time for all pairs is that
times the share (each pair costs it the same); `extrapolated` says so. The scores of those pairs must agree within 1e-4, else the
script ends with an error. Weights are random, those of fusion and score drawn wide enough for scores to differ (`score_std`).
`seconds` are CPU time with one thread. `encoder_share` is the part of a pair's time that the protocol spends in both encoders.
"""

import argparse
import platform
import time
from pathlib import Path

import torch
from mmengine.registry import DefaultScope
from reporting import hardware, publish
from torch import Tensor, nn

import florence  # noqa: F401  (first: it mends mmcv for current versions)
from florence.datasets.digit_scenes import DigitSceneRetrieval
from florence.models.vision_language import METERModel

BLOCK = 64
TEXT_TOWER = dict(
    type='TextTransformer', vocab_size=512, embed_dims=192, num_layers=4, num_heads=6, mlp_dims=768, causal=False, pool='first'
)
TOKENIZER = dict(type='TrainedBPE', vocab_size=512, context_length=76)


def build(texts: list[str], fusion_dims: int) -> METERModel:
    """A ranking model of CoSwin-nano, four text layers and six layers of fusion, with two towers of their own weights."""
    torch.manual_seed(0)
    two_tower = dict(
        type='TwoTower', image_tower=dict(type='CoSwin', arch='nano'), text_tower=TEXT_TOWER, tokenizer=TOKENIZER, embed_dims=256
    )
    with DefaultScope.overwrite_default_scope('florence'):
        model = METERModel(
            encoder=dict(
                image_tower=dict(type='CoSwin', arch='nano', out_indices=(3,)),
                text_tower=TEXT_TOWER,
                tokenizer=TOKENIZER,
                fusion=dict(type='METERFusion', embed_dims=fusion_dims, num_layers=6, num_heads=4),
            ),
            head=dict(type='RankingHead', two_tower=two_tower),
        )
    model.tokenizer.tokenizer.train(texts)
    model.head.two_tower.tokenizer.tokenizer.train(texts)
    encoder = model.encoder
    wide = (encoder.fusion, encoder.text_proj, encoder.image_proj, encoder.text_pooler, encoder.image_pooler, model.head.score)
    for part in wide:
        for module in part.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
    return model.eval()


def batches_of(data: DigitSceneRetrieval) -> list[dict]:
    items = [data[index] for index in range(len(data))]
    return [
        {key: [item[key] for item in items[start : start + BLOCK]] for key in ('inputs', 'data_samples')}
        for start in range(0, len(items), BLOCK)
    ]


def brute_force(
    model: METERModel, inputs: Tensor, texts: list[str], pairs: Tensor, pair_batch: int
) -> tuple[Tensor, float, float]:
    """Scores of pairs `(P,)`, seconds, and how many of them the encoders took."""
    scores, encoder = [], model.encoder
    start, encoding = time.process_time(), 0.0
    for images, words in (batch.unbind(1) for batch in pairs.split(pair_batch)):
        began = time.process_time()
        text, mask = encoder.encode_text([texts[index] for index in words.tolist()])
        image = encoder.encode_image(inputs[images])
        encoding += time.process_time() - began
        scores.append(model.head.score(encoder.pool(*encoder.fuse(text, image, mask))).flatten())
    return torch.cat(scores), time.process_time() - start, encoding


def ours(model: METERModel, batches: list[dict], top_k: int | None, pair_batch: int) -> tuple[list[Tensor], int, float]:
    """Scores of each image's candidates, the number of pairs, and seconds."""
    start = time.process_time()
    samples = [sample for batch in batches for sample in model.test_step(batch)]
    images = torch.stack([sample.image_tokens for sample in samples])
    texts = [text for sample in samples for text in sample.text_tokens]
    candidates: list[Tensor | None] = [None] * len(images)
    if top_k is not None:
        embeds = torch.stack([s.image_embeds for s in samples]), torch.cat([s.text_embeds for s in samples])
        candidates = [own for own, _ in model.head.candidates(*embeds, top_k).of_images(torch.arange(len(images)))]
    scores: list[Tensor] = []
    for first in range(0, len(images), BLOCK):
        own = slice(first, first + BLOCK)
        scores += model.head.rank(model.encoder, images[own], texts, candidates[own], pair_batch=pair_batch)
    return scores, sum(map(len, scores)), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--items', type=int, default=1000, help='images, and as many texts')
    parser.add_argument('--top-k', type=int, default=32)
    parser.add_argument('--brute-pairs', type=int, help='measure the protocol on so many random pairs; default: all')
    parser.add_argument('--fusion-dims', type=int, default=96)
    parser.add_argument('--image-size', type=int, default=64)
    parser.add_argument('--pair-batch', type=int, default=256)
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = dict(image_size=args.image_size, num_objects_probs=(0.2, 0.4, 0.4))
    with DefaultScope.overwrite_default_scope('florence'):
        data = DigitSceneRetrieval(args.items, recipe=recipe, pipeline=[dict(type='PackImageText')])
    batches = batches_of(data)
    texts = [caption for batch in batches for sample in batch['data_samples'] for caption in sample.captions]
    model = build(texts, args.fusion_dims)
    num_pairs = len(texts) ** 2
    chosen = torch.randperm(num_pairs)[: args.brute_pairs or num_pairs]
    pairs = torch.stack([chosen // len(texts), chosen % len(texts)], 1)
    with torch.no_grad():
        inputs = torch.cat([model.data_preprocessor(batch)['inputs'] for batch in batches])
        brute_force(model, inputs, texts, pairs[:256], args.pair_batch)  # loads kernels
        expected, seconds, encoding = brute_force(model, inputs, texts, pairs, args.pair_batch)
        exact, _, exact_seconds = ours(model, batches, None, args.pair_batch)
        _, top_pairs, top_seconds = ours(model, batches, args.top_k, args.pair_batch)
    error = (torch.stack(exact)[pairs[:, 0], pairs[:, 1]] - expected).abs().max().item()
    if not error <= 1e-4:
        raise SystemExit(f'error: the scores differ by up to {error}, the comparison is void')
    brute_seconds = seconds * num_pairs / len(pairs)
    report = {
        'benchmark': 'fused_retrieval',
        'ratio': {'exact': round(brute_seconds / exact_seconds, 2), 'top_k': round(brute_seconds / top_seconds, 2)},
        'brute_force': {'seconds': round(brute_seconds, 1), 'pairs': num_pairs, 'extrapolated': len(pairs) < num_pairs}
        | {'measured_pairs': len(pairs), 'measured_seconds': round(seconds, 1), 'encoder_share': round(encoding / seconds, 3)},
        'exact': {'seconds': round(exact_seconds, 1), 'pairs': num_pairs},
        'top_k': {'seconds': round(top_seconds, 1), 'pairs': top_pairs, 'k': args.top_k},
        'largest_score_difference': error,
        'score_std': round(expected.std().item(), 3),
        **{key: getattr(args, key) for key in ('items', 'fusion_dims', 'image_size', 'pair_batch')},
        'threads': 1,
        'versions': {'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
