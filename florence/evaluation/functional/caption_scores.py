"""BLEU, ROUGE-L and CIDEr-D of raw captions without Java, METEOR and SPICE with it; equal to the official COCO evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.logging import print_log

from florence.evaluation.functional.bleu import bleu
from florence.evaluation.functional.cider import DocumentFrequency, cider_d
from florence.evaluation.functional.java_caption_metrics import JAVA_METRICS, why_not
from florence.evaluation.functional.ngram_counts import caption_ngrams, check_captions
from florence.evaluation.functional.ptb_tokenizer import ptb_tokenize
from florence.evaluation.functional.rouge_l import rouge_l

METRICS = ('bleu', 'rouge_l', 'cider', *JAVA_METRICS)


@dataclass(frozen=True)
class CaptionScoring:
    """Scores as the official code gives them: fractions, CIDEr 0 to 10.

    Attributes:
        corpus: By the official names `Bleu_1` to `Bleu_4`, `ROUGE_L`, `CIDEr`, `METEOR`, `SPICE`.
        per_image: The same of each image, `(N,)`.
        num_empty: Hypotheses without any token.
    """

    corpus: dict[str, float]
    per_image: dict[str, np.ndarray]
    num_empty: int


def caption_scores(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    metrics: Sequence[str] | None = None,
    document_frequency: DocumentFrequency | None = None,
) -> CaptionScoring:
    """Score one caption of each image.

    Args:
        hypotheses: Raw captions, one per image; an empty one scores 0 and is counted.
        references: Raw references of each image, at least one.
        metrics: Of `METRICS`; None takes all that can run here and logs which cannot.
        document_frequency: Of another corpus, for CIDEr; None takes that of the references.

    Raises:
        ValueError: If a metric is not known or cannot run, or the captions are not as described.
    """
    metrics = choose_metrics(metrics)
    check_captions(hypotheses, references)
    return score_tokens(ptb_tokenize(hypotheses), tokenize_groups(references), metrics, document_frequency)


def tokenize_groups(references: Sequence[Sequence[str]]) -> list[list[str]]:
    """Tokenize the references of all images together, in their order, as the official code does."""
    lines = iter(ptb_tokenize([reference for own in references for reference in own]))
    return [[next(lines) for _ in own] for own in references]


def score_tokens(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    metrics: Sequence[str],
    document_frequency: DocumentFrequency | None = None,
) -> CaptionScoring:
    """As `caption_scores`, of captions that are tokenized."""
    corpus: dict[str, float] = {}
    per_image: dict[str, np.ndarray] = {}
    if {'bleu', 'cider'} & set(metrics):
        ngrams = caption_ngrams(hypotheses, references)
    if 'bleu' in metrics:
        whole, of_images = bleu(ngrams)
        for order in range(len(whole)):
            corpus[f'Bleu_{order + 1}'], per_image[f'Bleu_{order + 1}'] = float(whole[order]), of_images[:, order]
    if 'rouge_l' in metrics:
        per_image['ROUGE_L'] = rouge_l(hypotheses, references)
    if 'cider' in metrics:
        per_image['CIDEr'] = cider_d(ngrams, document_frequency)
    for name in ('ROUGE_L', 'CIDEr'):
        if name in per_image:
            corpus[name] = float(per_image[name].mean())
    for metric, scorer in JAVA_METRICS.items():
        if metric in metrics:
            corpus[metric.upper()], per_image[metric.upper()] = scorer(hypotheses, references)
    return CaptionScoring(corpus, per_image, sum(not hypothesis for hypothesis in hypotheses))


def choose_metrics(metrics: Sequence[str] | None) -> tuple[str, ...]:
    """The metrics to compute.

    Args:
        metrics: Their names, or None for all that can run; those that cannot are logged with the reason.

    Raises:
        ValueError: If a name is not known, or a named metric cannot run.
    """
    obstacles = {metric: why_not(metric) for metric in JAVA_METRICS if metrics is None or metric in metrics}
    obstacles = {metric: reason for metric, reason in obstacles.items() if reason}
    if metrics is None:
        if obstacles:
            print_log('left out: ' + '; '.join(filter(None, obstacles.values())) + '.', 'current')
        return tuple(metric for metric in METRICS if metric not in obstacles)
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown or not metrics:
        raise ValueError(f'caption metrics are {", ".join(METRICS)}; got {list(metrics)}.')
    for reason in obstacles.values():
        raise ValueError(f'{reason}, or leave it out of `metrics`.')
    return tuple(metrics)
