"""Evaluation of image-text retrieval with a fusion model: everything is encoded once, then the candidates' pairs are fused.

    val_cfg = dict(type='FusedRetrievalValLoop', top_k=128)
    val_evaluator = dict(type='FusedRetrieval')

METER's protocol (arXiv 2111.02387) runs the whole model for every pair: 35 hours for COCO on 8 GPUs. Here each rank encodes its
share of the images with their captions and keeps the tokens in main memory; the text tokens, which are small, go to all ranks,
and each rank fuses the pairs of its own images.

The model has a `head` with `predict` (samples get `image_tokens`, `text_tokens` and, with two towers, `image_embeds` and
`text_embeds`), `candidates` and `rank`, as `florence.RankingHead` has.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_dist_info
from mmengine.runner import TestLoop, ValLoop, autocast
from torch import Tensor

from florence.engine.fitting_weights import innermost
from florence.registry import LOOPS

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
BLOCK = 64
"""Images whose pairs are fused together; their part of the first layer is computed once for the block."""
SECONDS_BETWEEN_LINES = 30
"""Time between messages about the progress."""


@dataclass(frozen=True)
class RankingSettings:
    """How the pairs are chosen and scored.

    Args:
        top_k: Candidates of each query, by the two-tower model; None: every pair is fused.
        similarity_weight: The score of a pair is the fusion's plus this times its cosine: 0 as in METER and ALBEF, 1 in BLIP.
        pair_batch: Pairs that pass the fusion at once.
        token_dtype: Type in which tokens wait in main memory: 'float32', 'bfloat16' or 'float16'.

    Raises:
        ValueError: If `token_dtype` is unknown, or `top_k` or `pair_batch` is below 1.
    """

    top_k: int | None = 128
    similarity_weight: float = 0.0
    pair_batch: int = 256
    token_dtype: str = 'float32'

    def __post_init__(self) -> None:
        if self.token_dtype not in DTYPES:
            raise ValueError(f'token_dtype must be one of {tuple(DTYPES)}, got {self.token_dtype!r}.')
        if self.pair_batch < 1 or (self.top_k is not None and self.top_k < 1):
            raise ValueError(
                f'top_k and pair_batch must be at least 1, got {self.top_k} and {self.pair_batch}; top_k=None fuses every pair.'
            )


@dataclass
class EncodedShare:
    """What this rank has encoded, image by image; all lists have one entry an image."""

    samples: list[Any] = field(default_factory=list)
    image_tokens: list[Tensor] = field(default_factory=list)
    text_tokens: list[tuple[Tensor, ...]] = field(default_factory=list)

    def add(self, outputs: list[Any], dtype: torch.dtype) -> None:
        """Take the tokens off the samples of a batch, to main memory.

        Raises:
            ValueError: If the model gave no tokens, or an image has no caption.
        """
        for sample in outputs:
            if 'image_tokens' not in sample:
                raise ValueError('FusedRetrieval loops need a METERModel with a RankingHead, whose predict gives image_tokens.')
            self.image_tokens.append(sample.pop('image_tokens').to('cpu', dtype))
            own = sample.pop('text_tokens')
            if not own:
                raise ValueError(f'sample {sample.get("sample_id")!r} has no captions: use a retrieval data set.')
            self.text_tokens.append(tuple(tokens.to('cpu', dtype) for tokens in own))
            self.samples.append(sample.cpu())


@dataclass(frozen=True)
class Gallery:
    """All texts of the data set, and the embeddings of all items where there is a two-tower model.

    Attributes:
        own: Index in the data set of each image of this rank; one beyond the end repeats an image to fill the last batch.
        text_tokens: `(L, D)` per text, in the order of the data set.
        embeds: `(N, D)` of the images and `(M, D)` of the texts.
    """

    own: list[int]
    text_tokens: list[Tensor]
    embeds: tuple[Tensor, Tensor] | None


def gather(share: EncodedShare, size: int) -> Gallery:
    """Bring the texts and embeddings of all ranks together, in the order of the data set.

    Args:
        share: Of this rank, which got the images `rank`, `rank + world_size`, ...
        size: Images of the data set.

    Raises:
        ValueError: If the ranks did not get every image once.
    """
    rank, world_size = get_dist_info()
    embeds = [(sample.image_embeds, sample.text_embeds) for sample in share.samples if 'image_embeds' in sample]
    flat = [torch.cat(own) for own in share.text_tokens]
    lengths = [[len(tokens) for tokens in own] for own in share.text_tokens]
    parts = all_gather_object((flat, lengths, embeds))
    items = {
        index * world_size + part: (tokens, own_lengths, part_embeds[index] if part_embeds else None)
        for part, (part_flat, part_lengths, part_embeds) in enumerate(parts)
        for index, (tokens, own_lengths) in enumerate(zip(part_flat, part_lengths, strict=True))
    }
    if not set(range(size)) <= set(items):
        raise ValueError(
            f'the ranks encoded {len(items)} of {size} images: use sampler=dict(type="DefaultSampler", shuffle=False).'
        )
    texts = [text for index in range(size) for text in items[index][0].split(items[index][1])]
    pairs = [items[index][2] for index in range(size)]
    found = [pair for pair in pairs if pair is not None]
    own = list(range(rank, rank + world_size * len(share.samples), world_size))
    return Gallery(own, texts, (torch.stack([i for i, _ in found]), torch.cat([t for _, t in found])) if found else None)


def rank_share(model: Any, share: EncodedShare, gallery: Gallery, settings: RankingSettings, size: int) -> Iterator[int]:
    """Give each image of this rank the scores of its pairs: `pair_scores`, `pair_texts` and `pair_lists`.

    Args:
        model: With `encoder` and `head`.
        share, gallery: What was encoded.
        settings: How pairs are chosen and scored.
        size: Images of the data set.

    Yields:
        After each block the number of pairs that were fused.

    Raises:
        ValueError: If candidates are asked for without a two-tower model, or the images differ in size.
    """
    embeds: Any = gallery.embeds
    if embeds is None and (settings.top_k is not None or settings.similarity_weight):
        raise ValueError('top_k and similarity_weight need a two-tower model: give RankingHead two_tower=..., or set top_k=None.')
    if len({tokens.shape for tokens in share.image_tokens}) > 1:
        raise ValueError('the images of a retrieval set must have one size: end the pipeline with a resize or crop to it.')
    chosen = None if settings.top_k is None else model.head.candidates(*embeds, settings.top_k)
    # What fills the last batch is dropped when the ranks' results are joined.
    places = [place for place, index in enumerate(gallery.own) if index < size]
    for sample in share.samples[len(places) :]:
        sample.pair_scores = torch.zeros(0)
        if chosen is not None:
            sample.pair_texts, sample.pair_lists = torch.zeros(0, dtype=torch.int32), torch.zeros(0, dtype=torch.uint8)
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        rows = torch.tensor([gallery.own[place] for place in block])
        pairs = [(None, None)] * len(block) if chosen is None else list(chosen.of_images(rows))
        images = torch.stack([share.image_tokens[place] for place in block])
        texts = [text for text, _ in pairs]
        scores = model.head.rank(model.encoder, images, gallery.text_tokens, texts, pair_batch=settings.pair_batch)
        for place, (own_texts, lists), own_scores in zip(block, pairs, scores, strict=True):
            sample = share.samples[place]
            if settings.similarity_weight:
                others = embeds[1] if own_texts is None else embeds[1][own_texts]
                # Not as a matrix product, which autocast would compute in half precision.
                own_scores = own_scores + settings.similarity_weight * (others * sample.image_embeds).sum(1)
            sample.pair_scores = own_scores
            if own_texts is not None:
                sample.pair_texts, sample.pair_lists = own_texts.int(), lists
        yield sum(map(len, scores))


def _run(loop: ValLoop | TestLoop, stage: str) -> dict[str, float]:
    runner, size = loop.runner, len(loop.dataloader.dataset)
    runner.call_hook(f'before_{stage}')
    runner.call_hook(f'before_{stage}_epoch')
    runner.model.eval()
    share = EncodedShare()
    with torch.no_grad(), autocast(enabled=loop.fp16):
        for index, batch in enumerate(loop.dataloader):
            runner.call_hook(f'before_{stage}_iter', batch_idx=index, data_batch=batch)
            outputs = getattr(runner.model, f'{stage}_step')(batch)
            share.add(outputs, DTYPES[loop.settings.token_dtype])
            runner.call_hook(f'after_{stage}_iter', batch_idx=index, data_batch=batch, outputs=outputs)
        gallery = gather(share, size)
        fused, told = 0, time.monotonic()
        for block, count in enumerate(rank_share(innermost(runner.model), share, gallery, loop.settings, size), start=1):
            fused += count
            if time.monotonic() - told > SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                runner.logger.info(f'fused {fused} pairs of {min(block * BLOCK, len(share.samples))} images so far.')
    runner.logger.info(
        f'fused {fused} pairs of {len(share.samples)} images with the texts of the {len(gallery.text_tokens)} in the data set.'
    )
    loop.evaluator.process(data_samples=share.samples, data_batch=None)
    metrics = loop.evaluator.evaluate(size)
    runner.call_hook(f'after_{stage}_epoch', metrics=metrics)
    runner.call_hook(f'after_{stage}')
    return metrics


@LOOPS.register_module()
class FusedRetrievalValLoop(ValLoop):
    """Validation: two-tower first, fused re-ranking of the candidates.

    Args:
        runner, dataloader, evaluator, fp16: As for mmengine's loop.
        **settings: See `RankingSettings`.
    """

    def __init__(self, runner: Any, dataloader: Any, evaluator: Any, fp16: bool = False, **settings: Any) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.settings = RankingSettings(**settings)

    def run(self) -> dict[str, float]:
        """Validate; the evaluator's metrics."""
        return _run(self, 'val')


@LOOPS.register_module()
class FusedRetrievalTestLoop(TestLoop):
    """Test: two-tower first, fused re-ranking of the candidates.

    Args:
        runner, dataloader, evaluator, fp16: As for mmengine's loop.
        **settings: See `RankingSettings`.
    """

    def __init__(self, runner: Any, dataloader: Any, evaluator: Any, fp16: bool = False, **settings: Any) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.settings = RankingSettings(**settings)

    def run(self) -> dict[str, float]:
        """Test; the evaluator's metrics."""
        return _run(self, 'test')
