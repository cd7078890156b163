"""Official VQA accuracy as a metric (Florence, arXiv 2111.11432, section 3.7)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from florence.atomic_files import write_json
from florence.evaluation.functional.vqa_accuracy import JudgedQuestion, question_accuracy, vqa_figures
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class VQAAccuracy(BaseMetric):
    """Reads `pred_answer`, `answers` and `question_id`, and `question_type` and `answer_type` where the data set has them.

    Gives `overall`, `answer_type/<type>` and `question_type/<type>`, percent. The rule is that of `functional.vqa_accuracy`;
    where questions have one annotator alone, the log says how many are judged by equality.

    Args:
        format_only: Only write the answers, where there is no ground truth (test-dev, test-std).
        outfile: JSON list of `question_id` and `answer` to write; None = do not.
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        ValueError: If `format_only` has no file to write to.
    """

    default_prefix = 'vqa'

    def __init__(
        self,
        *,
        format_only: bool = False,
        outfile: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if format_only and outfile is None:
            raise ValueError('format_only of VQAAccuracy writes the answers and needs outfile.')
        self.format_only, self.outfile = format_only, outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the answer and its worth of each question.

        Raises:
            KeyError: If a field is missing.
        """
        for sample in data_samples:
            prediction, question_id = read_fields(self, sample, 'pred_answer', 'question_id')
            result = {'question_id': question_id, 'answer': prediction}
            if not self.format_only:
                (answers,) = read_fields(self, sample, 'answers')
                result |= {
                    'accuracy': question_accuracy(prediction, answers),
                    'annotators': len(answers),
                    'question_type': sample.get('question_type'),
                    'answer_type': sample.get('answer_type'),
                }
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Figures of the whole data set, percent; none with `format_only`.

        Raises:
            ValueError: If there is no question, or one occurs twice.
        """
        if not results:
            raise ValueError('VQAAccuracy saw no question: the data set of this evaluation is empty.')
        _require_distinct([result['question_id'] for result in results])
        if self.outfile is not None:
            write_json(self.outfile, [{key: result[key] for key in ('question_id', 'answer')} for result in results])
            print_log(f'wrote the answers to {len(results)} questions to {self.outfile}.', logger='current')
        if self.format_only:
            return {}
        alone = sum(result['annotators'] == 1 for result in results)
        if alone:
            print_log(f'VQAAccuracy: {alone} of {len(results)} questions have one annotator, equality decides.', logger='current')
        return vqa_figures(
            [JudgedQuestion(result['accuracy'], result['answer_type'], result['question_type']) for result in results]
        )


def _require_distinct(question_ids: Sequence[int | str]) -> None:
    twice = [question_id for question_id, count in Counter(question_ids).items() if count > 1]
    if twice:
        raise ValueError(
            f'{len(twice)} questions were answered more than once, e.g. question {twice[0]!r}: give every question to the '
            'evaluation once (a sampler that covers the data set, distinct question ids).'
        )
