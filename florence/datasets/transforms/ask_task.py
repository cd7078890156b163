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

    Raises:
        KeyError: If the task is unknown.
    """

    def __init__(self, tag: str, options: dict | None = None) -> None:
        self.task = get_task(tag)
        self.options = TargetOptions(**(options or {}))

    def transform(self, results: dict) -> dict:
        """Ask about one sample.

        Args:
            results: Has `record`, and `img` or `ori_shape`.

        Raises:
            BadSample: If the record is malformed; a `ValueError` that names the sample.
        """
        right: dict[str | None, list[Target]] = {}
        # The same classes are absent in every evaluation.
        for target in targets_of(self.task, results, self.options, random.Random(0)):
            right.setdefault(target.prompt_input, []).append(target)
        results['task'] = (self.task.tag,) * len(right)
        results['prompt'] = tuple(make_prompt(self.task.tag, prompt_input) for prompt_input in right)
        results['references'] = tuple(tuple(target.text for target in targets) for targets in right.values())
        results['truth'] = tuple(targets[0].truth for targets in right.values())
        return results
