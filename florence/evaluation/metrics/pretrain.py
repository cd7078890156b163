"""How well a vision-language pretraining goes: hidden tokens predicted, matches told (METER, arXiv 2111.02387, section 3.3)."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class PretrainMetric(BaseMetric):
    """Reads what `florence.PretrainHead` predicts; percent.

    `mlm_accuracy`: hidden tokens that are predicted rightly; `mlm_accuracy_blank`: the same with a blank image, what the text
    alone tells this model. `itm_accuracy`: pairs whose match or mismatch is told rightly, half of them of either kind; one that
    does not look at the image reaches 50. Of a sample whose batch holds no mismatch neither of its pairs counts; the log says how
    many.

    Args:
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = ''

    def __init__(self, *, collect_device: str = 'cpu', prefix: str | None = None, collect_dir: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the counts of each sample.

        Raises:
            KeyError: If a field is missing.
        """
        names = ('num_masked', 'num_right', 'num_right_blank', 'match_score')
        for sample in data_samples:
            counts = read_fields(self, sample, *names)
            self.results.append((*counts, sample.get('mismatch_score')))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Figures of the whole data set.

        Raises:
            ValueError: If there is no sample, or no hidden token, or no mismatched pair.
        """
        if not results:
            raise ValueError('PretrainMetric saw no sample: the data set of this evaluation is empty.')
        masked, right, right_blank = (sum(result[i] for result in results) for i in range(3))
        pairs = [(match, mismatch) for *_, match, mismatch in results if mismatch is not None]
        if not masked or not pairs:
            raise ValueError(
                'PretrainMetric needs hidden tokens and batches with at least two pairs that do not match: raise the batch size '
                'of the evaluation.'
            )
        if len(pairs) < len(results):
            print_log(f'{len(results) - len(pairs)} of {len(results)} samples had no mismatch in their batch.', logger='current')
        told = sum((match > 0.5) + (mismatch < 0.5) for match, mismatch in pairs)
        return {
            'mlm_accuracy': 100 * right / masked,
            'mlm_accuracy_blank': 100 * right_blank / masked,
            'itm_accuracy': 100 * told / (2 * len(pairs)),
        }
