"""Prompts and targets of Florence-2 drawn from a record, anew each time the sample is read in training.

Florence-2 (arXiv 2311.06242, section 4) trains on all annotations of an image; how often each task is drawn is not published.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from mmcv.transforms import BaseTransform

from florence.datasets.bad_samples import BadSample
from florence.registry import TRANSFORMS
from florence.tasks.florence2.target_regions import TargetOptions
from florence.tasks.florence2.targets import Target, check_boxes
from florence.tasks.florence2.task import Florence2Task, get_task, make_prompt


def file_size(results: dict) -> tuple[int, int]:
    """Width and height of the image that the coordinates of the record of a sample lie in: those of its file."""
    height, width = results['ori_shape'] if 'ori_shape' in results else results['img'].shape[:2]
    return width, height


def canvas_size(results: dict) -> tuple[float, float]:
    """Width and height that the location tokens of a sample divide: those of its file, and of the padding of `ResizePad`."""
    if 'canvas_shape' not in results:
        return file_size(results)
    height, width = results['canvas_shape']
    return width, height


def targets_of(task: Florence2Task, results: dict, options: TargetOptions, rng: random.Random) -> list[Target]:
    """All targets of a task in a sample's record.

    Raises:
        BadSample: If the record is malformed; a `ValueError` that names the sample.
    """
    with naming_the_sample(results, f', task {task.tag}'):
        return task.targets(results['record'], canvas_size(results), options, rng)


@contextmanager
def naming_the_sample(results: dict, where: str = '') -> Iterator[None]:
    """Faults of a record become a `BadSample` that names the sample."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise BadSample(f'sample {results["sample_id"]!r}{where}: {error.args[0]}') from error


@TRANSFORMS.register_module()
class DrawTasks(BaseTransform):
    """Sets `task`, `prompt` and `target`, tuples of `num_tasks` entries that may repeat a task but no target.

    The image is encoded once for all of them. Put it where `img` still has the size that the record's coordinates belong to, or
    where `ori_shape` tells it; a flip or crop must come before and change the record, too.

    Args:
        tasks: Weight of each task by its tag; a task that a record has no targets for is not drawn for it.
        temperature: Tasks are drawn in proportion to `weight ** (1 / temperature)`: larger values make them more alike.
        num_tasks: Targets of an image; fewer where the record has no more.
        options: Arguments of `TargetOptions`.

    Raises:
        KeyError: If a task is unknown.
        ValueError: If a weight, the temperature or the number is not positive.
    """

    def __init__(
        self, tasks: Mapping[str, float], *, temperature: float = 1.0, num_tasks: int = 1, options: dict | None = None
    ) -> None:
        if not tasks or min(tasks.values()) <= 0 or temperature <= 0 or num_tasks < 1:
            raise ValueError(
                f'DrawTasks: weights, temperature and num_tasks must be above 0, got {dict(tasks)}, {temperature} and '
                f'{num_tasks}; leave out a task that is not wanted.'
            )
        self.weights = {tag: weight ** (1 / temperature) for tag, weight in tasks.items()}
        self.tasks = [get_task(tag) for tag in tasks]
        self.num_tasks = num_tasks
        self.options = TargetOptions(**(options or {}))

    def transform(self, results: dict) -> dict:
        """Draw the tasks of one sample.

        Args:
            results: Has `record`, and `img` or `ori_shape`.

        Raises:
            BadSample: If the record is malformed, a box of it has no area or lies outside the image, or it has no target of any
                task; a `ValueError` that names the sample.
        """
        with naming_the_sample(results):
            check_boxes(results['record'], file_size(results))
        rng = random.Random(int(np.random.randint(2**31)))
        # Targets are written for tasks that are drawn; one that has none is drawn again, which leaves the others their shares.
        left: dict[Florence2Task, list[Target] | None] = dict.fromkeys(self.tasks)
        drawn: list[tuple[Florence2Task, Target]] = []
        while left and len(drawn) < self.num_tasks:
            (task,) = rng.choices(list(left), [self.weights[task.tag] for task in left])
            targets = left[task]
            if targets is None:
                targets = left[task] = targets_of(task, results, self.options, rng)
            if targets:
                drawn.append((task, targets.pop(rng.randrange(len(targets)))))
            if not targets:
                del left[task]
        if not drawn:
            raise BadSample(f'the record of sample {results["sample_id"]!r} has no target of {", ".join(self.weights)}')
        results['task'] = tuple(task.tag for task, _ in drawn)
        results['prompt'] = tuple(make_prompt(task.tag, target.prompt_input) for task, target in drawn)
        results['target'] = tuple(target.text for _, target in drawn)
        return results
