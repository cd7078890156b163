"""One task of Florence-2, asked in full: every prompt that a record has for it, for an evaluation."""

import random

from mmcv.transforms import BaseTransform

from florence.datasets.transforms.draw_tasks import targets_of
from florence.registry import TRANSFORMS
from florence.tasks.florence2.target_regions import TargetOptions
from florence.tasks.florence2.targets import Target
from florence.tasks.florence2.task import get_task, make_prompt


@TRANSFORMS.register_module()
class AskTask(BaseTransform):
    """Sets `task`, `prompt`, `references` and `truth`, tuples with one entry for each different prompt of the record.

    `references` are all right texts for a prompt, `truth` its regions as the record has them, before they became tokens.

    Args:
        tag: The task.
        options: Arguments of `TargetOptions`.
        unanswered: Whether to ask where no answer is known, as in the test sets of leaderboards: about the image alone, or its
            `text` as the question. It needs no record then, and references and truth are empty.

    Raises:
        KeyError: If the task is unknown.
    """

    def __init__(self, tag: str, options: dict | None = None, unanswered: bool = False) -> None:
        self.task = get_task(tag)
        self.options = TargetOptions(**(options or {}))
        self.unanswered = unanswered

    def transform(self, results: dict) -> dict:
        """Ask about one sample.

        Args:
            results: Has `record`, and `img` or `ori_shape`.

        Raises:
            BadSample: If the record is malformed; a `ValueError` that names the sample.
            KeyError: If there is no text to ask about.
        """
        right: dict[str | None, list[Target]] = {}
        if self.unanswered:
            right[self._question(results)] = []
        else:
            # The same classes are absent in every evaluation.
            for target in targets_of(self.task, results, self.options, random.Random(0)):
                right.setdefault(target.prompt_input, []).append(target)
        results['task'] = (self.task.tag,) * len(right)
        results['prompt'] = tuple(make_prompt(self.task.tag, prompt_input) for prompt_input in right)
        results['references'] = tuple(tuple(target.text for target in targets) for targets in right.values())
        results['truth'] = tuple(targets[0].truth if targets else {} for targets in right.values())
        return results

    def _question(self, results: dict) -> str | None:
        if self.task.input_kind == 'none':
            return None
        if 'text' not in results:
            raise KeyError(
                f'AskTask: {self.task.tag} asks about a text, sample {results["sample_id"]!r} has {", ".join(results)}'
            )
        return results['text']
