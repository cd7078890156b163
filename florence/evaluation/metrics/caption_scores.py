"""BLEU, ROUGE-L, CIDEr-D (and METEOR, SPICE) of generated captions; the numbers of the official COCO evaluation, without Java."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from florence.atomic_files import write_json
from florence.evaluation.functional.caption_scores import caption_scores, choose_metrics
from florence.evaluation.functional.cider import DocumentFrequency
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class CaptionScores(BaseMetric):
    """Reads `pred_caption`, `captions` (the references) and `image_id`, or `sample_id` where the data set has no image ids.

    Gives `Bleu_1` to `Bleu_4`, `ROUGE_L`, `CIDEr`, `METEOR`, `SPICE`: the official scores times 100, as tables print them; CIDEr
    reaches 1000. An empty caption is legal, scores 0, and the log counts them. The idf of CIDEr is that of the references of this
    evaluation, as in the official code, so small data sets give other values than large ones.

    Args:
        metrics: Of `bleu`, `rouge_l`, `cider`, `meteor`, `spice`; None takes all that run here and logs which do not. METEOR and
            SPICE take Java and much longer: name the others for a validation during training.
        document_frequency: JSON written by `DocumentFrequency.write`, for CIDEr with the idf of another corpus.
        format_only: Only write the captions, where there are no references (the test sets of leaderboards).
        outfile: JSON list of `image_id` and `caption` to write; None = do not.
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        FileNotFoundError: If the file of document frequencies is missing.
        ValueError: If a metric is not known or cannot run here, or `format_only` has no file to write to.
    """

    default_prefix = ''

    def __init__(
        self,
        *,
        metrics: Sequence[str] | None = None,
        document_frequency: str | None = None,
        format_only: bool = False,
        outfile: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if format_only and outfile is None:
            raise ValueError('format_only of CaptionScores writes the captions and needs outfile.')
        self.metrics = () if format_only else choose_metrics(metrics)
        self.document_frequency = None if document_frequency is None else DocumentFrequency.read(document_frequency)
        self.format_only, self.outfile = format_only, outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the caption and the references of each image.

        Raises:
            KeyError: If a field is missing, or a sample has neither `image_id` nor `sample_id`.
            ValueError: If the references are one text instead of a list.
        """
        for sample in data_samples:
            (caption,) = read_fields(self, sample, 'pred_caption')
            references = () if self.format_only else read_fields(self, sample, 'captions')[0]
            if isinstance(references, str):
                raise ValueError(f'CaptionScores: captions of a sample is the text {references!r}, expected a list of texts.')
            key = sample.get('image_id', sample.get('sample_id'))
            if key is None:
                raise KeyError(f'CaptionScores needs image_id or sample_id, a sample has {sorted(sample)}: pack one of them.')
            self.results.append((key, caption, tuple(references)))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Scores of the whole data set times 100; none with `format_only`.

        Raises:
            ValueError: If there is no image, one occurs twice, or one has no reference.
        """
        if not results:
            raise ValueError('CaptionScores saw no image: the data set of this evaluation is empty.')
        keys, captions, references = zip(*results)
        _require_distinct(keys)
        if self.outfile is not None:
            write_json(self.outfile, [{'image_id': key, 'caption': caption} for key, caption in zip(keys, captions)])
            print_log(f'wrote the captions of {len(keys)} images to {self.outfile}.', logger='current')
        if self.format_only:
            return {}
        without = [key for key, own in zip(keys, references) if not own]
        if without:
            raise ValueError(
                f'{len(without)} of {len(keys)} images have no reference caption, e.g. {without[0]!r}: leave them out, or use '
                'format_only to write captions without scores.'
            )
        scoring = caption_scores(captions, references, metrics=self.metrics, document_frequency=self.document_frequency)
        if scoring.num_empty:
            print_log(f'CaptionScores: {scoring.num_empty} of {len(keys)} captions are empty and score 0.', logger='current')
        return {name: 100 * score for name, score in scoring.corpus.items()}


def _require_distinct(keys: Sequence[Hashable]) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise ValueError(
            f'{len(twice)} images were captioned more than once, e.g. {twice[0]!r}: give every image to the evaluation once '
            '(a sampler that covers the data set, distinct ids).'
        )
