"""Accuracy of sentences about images: SNLI-VE (arXiv 1901.06706), NLVR2 with its consistency (arXiv 1811.00491)."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from florence.atomic_files import write_json
from florence.evaluation.functional.consistency import consistent_share
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class LabelAccuracy(BaseMetric):
    """Reads `pred_label` and `gt_label`; gives `accuracy` and, where asked for, `consistency`, percent.

    Args:
        consistency: Report the share of sentences that are judged rightly about all of their images; samples of one sentence have
            one `question_id`, as `florence.NLVR2` gives it.
        format_only: Only write the labels, where there is no ground truth.
        outfile: JSON list of `sample_id` and `label` to write; None = do not.
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        ValueError: If `format_only` has no file to write to.
    """

    default_prefix = ''

    def __init__(
        self,
        *,
        consistency: bool = False,
        format_only: bool = False,
        outfile: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if format_only and outfile is None:
            raise ValueError('format_only of LabelAccuracy writes the labels and needs outfile.')
        self.consistency = consistency
        self.format_only, self.outfile = format_only, outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the label of each sample and whether it is right.

        Raises:
            KeyError: If a field is missing.
        """
        for sample in data_samples:
            (label,) = read_fields(self, sample, 'pred_label')
            result = {'sample_id': sample.get('sample_id'), 'label': int(label)}
            if not self.format_only:
                (truth,) = read_fields(self, sample, 'gt_label')
                result['is_right'] = int(label) == int(truth)
            if self.consistency:
                (result['sentence'],) = read_fields(self, sample, 'question_id')
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Figures of the whole data set, percent; none with `format_only`.

        Raises:
            ValueError: If there is no sample, or one occurs twice.
        """
        if not results:
            raise ValueError('LabelAccuracy saw no sample: the data set of this evaluation is empty.')
        seen: set[str] = set()
        for name in (result['sample_id'] for result in results if result['sample_id'] is not None):
            if name in seen:
                raise ValueError(f'sample {name!r} was judged twice: give every sample to the evaluation once, under its own id.')
            seen.add(name)
        if self.outfile is not None:
            write_json(self.outfile, [{key: result[key] for key in ('sample_id', 'label')} for result in results])
            print_log(f'wrote the labels of {len(results)} samples to {self.outfile}.', logger='current')
        if self.format_only:
            return {}
        figures = {'accuracy': 100 * sum(result['is_right'] for result in results) / len(results)}
        if self.consistency:
            figures['consistency'] = 100 * consistent_share((result['sentence'], result['is_right']) for result in results)
        return figures
