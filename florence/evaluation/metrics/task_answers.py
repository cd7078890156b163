"""Answers of Florence-2, each by the scorer that its task names (arXiv 2311.06242, section 5)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from florence.atomic_files import write_json
from florence.evaluation.metrics.sample_fields import read_fields
from florence.evaluation.task_answers import TaskAnswer, get_scorer
from florence.registry import METRICS
from florence.tasks.florence2.box_scores import SCORE_MODES, box_scores
from florence.tasks.florence2.canvas import parse_on_canvas
from florence.tasks.florence2.parsers import ParserOptions
from florence.tasks.florence2.task import get_task


@METRICS.register_module()
class TaskAnswers(BaseMetric):
    """Reads what `AskTask` and `Florence2.predict` set; gives `TAG/FIGURE`, as `OD/mAP`, of every task that was asked.

    Args:
        parser: Arguments of `ParserOptions`: how answers are read.
        outfile: JSON file of all prompts and answers to write, which writers of submissions read; None = do not.
        format_only: Only write the answers, where there is no truth (test sets of leaderboards).
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        ValueError: If `format_only` has no file to write to.
    """

    default_prefix = ''

    def __init__(
        self,
        *,
        parser: dict | None = None,
        outfile: str | None = None,
        format_only: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if format_only and outfile is None:
            raise ValueError('format_only of TaskAnswers writes the answers and needs outfile.')
        self.parser, self.outfile, self.format_only = ParserOptions(**(parser or {})), outfile, format_only

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the answers to each prompt of each image.

        Raises:
            KeyError: If a field is missing.
        """
        for sample in data_samples:
            fields = read_fields(
                self, sample, 'task', 'prompt', 'references', 'truth', 'pred_texts', 'pred_log_probs', 'pred_spans'
            )
            shape = sample['ori_shape'] if 'ori_shape' in sample else sample['img_shape']
            canvas = sample.get('canvas_shape', shape)
            ids = {key: sample[key] for key in ('image_id', 'question_id') if key in sample}
            answers = [
                (tag, prompt, self._answer(tag, str(sample['sample_id']), tuple(shape)[::-1], tuple(canvas)[::-1], ids, *rest))
                for tag, prompt, *rest in zip(*fields, strict=True)
            ]
            self.results.append(answers)  # one entry per image, so that those of all ranks can be put in order

    def compute_metrics(self, results: list[list[tuple[str, str, TaskAnswer]]]) -> dict[str, float]:
        """Figures of each task; none with `format_only`.

        Raises:
            ValueError: If nothing was asked.
        """
        of_task: dict[str, list[TaskAnswer]] = defaultdict(list)
        for image in results:
            for tag, _, answer in image:
                of_task[tag].append(answer)
        if not of_task:
            raise ValueError('TaskAnswers saw no prompt: the data set is empty, or no record has what the task needs.')
        if self.outfile is not None:
            write_json(
                self.outfile,
                [
                    {'image': answer.image, **answer.ids, 'task': tag, 'prompt': prompt}
                    | {'answer': answer.text, 'parsed': dict(answer.parsed)}
                    for image in results
                    for tag, prompt, answer in image
                ],
            )
        if self.format_only:
            return {}
        return {
            f'{tag.strip("<>")}/{name}': value
            for tag, answers in of_task.items()
            for name, value in get_scorer(get_task(tag).metric)(answers).items()
        }

    def _answer(
        self,
        tag: str,
        image: str,
        image_size: tuple[float, float],
        canvas: tuple[float, float],
        ids: Mapping[str, int | str],
        references: Sequence[str],
        truth: Mapping,
        text: str,
        log_probs: Sequence[float],
        spans: Sequence[tuple[int, int]],
    ) -> TaskAnswer:
        parsed = parse_on_canvas(get_task(tag), text, image_size, canvas, self.parser)
        has_labels = any(end > start for start, end in parsed.get('label_spans', ()))
        modes = [] if 'spans' not in parsed else SCORE_MODES if has_labels or not parsed['spans'] else ('const', 'loc')
        scores = {mode: box_scores(parsed, log_probs, spans, mode) for mode in modes}
        return TaskAnswer(image, image_size, text, parsed, references, truth, scores, ids)
