"""The best classes of each video as a file, which submissions are packed from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from florence.atomic_files import write_json
from florence.registry import METRICS


@METRICS.register_module()
class ActionResults(BaseMetric):
    """Writes a JSON list of `sample_id` and `classes`, a list of `label` and `score`, best first; gives `num_videos`.

    Reads `pred_scores`, or `pred_score` of mmaction's models, whose data samples carry their name if the pipeline ends with
    `PackActionInputs(meta_keys=('filename', ...))`.

    Args:
        outfile: JSON file to write.
        classes: Names of the classes; None = the data set's.
        topk: Classes of each video, at most.
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        ValueError: If `topk` is below 1.
    """

    default_prefix = ''

    def __init__(
        self,
        outfile: str,
        *,
        classes: Sequence[str] | None = None,
        topk: int = 5,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if topk < 1:
            raise ValueError(f'ActionResults: topk must be 1 or more, got {topk}.')
        self.outfile, self.classes, self.topk = Path(outfile), classes, topk

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the best classes of each sample.

        Raises:
            KeyError: If a sample has no name or no scores, or the names of the classes are not known.
            ValueError: If a sample has not one score for each class.
        """
        classes = self.classes or (self.dataset_meta or {}).get('classes')
        if not classes:
            raise KeyError('ActionResults knows no class names: give `classes`, or a data set with `metainfo`.')
        for sample in data_samples:
            name = sample.get('sample_id', sample.get('filename'))
            scores = sample.get('pred_scores', sample.get('pred_score'))
            if name is None or scores is None:
                raise KeyError(
                    'ActionResults needs pred_scores (or pred_score) and sample_id or filename, the sample has '
                    f'{sorted(sample)}: '
                    "end the pipeline with PackActionInputs(meta_keys=('filename',))."
                )
            scores = torch.as_tensor(scores).float().cpu()
            if scores.shape != (len(classes),):
                raise ValueError(
                    f'ActionResults: {name} has scores of shape {tuple(scores.shape)}, expected one for each of {len(classes)} '
                    "classes: scores of several views are averaged by average_clips='prob' of the head."
                )
            best, order = scores.topk(min(self.topk, len(classes)))
            ranked = [{'label': classes[i], 'score': score} for i, score in zip(order.tolist(), best.tolist(), strict=True)]
            self.results.append((str(name), ranked))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Write the file.

        Raises:
            ValueError: If a video occurs twice.
        """
        if len({name for name, _ in results}) < len(results):
            raise ValueError('ActionResults: a video occurs twice: use a sampler that covers the data set.')
        write_json(self.outfile, [{'sample_id': name, 'classes': ranked} for name, ranked in results])
        return {'num_videos': float(len(results))}
