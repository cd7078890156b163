"""Zero-shot classification of digit scenes with one object: which digit, which colour, which pair of both."""

from collections.abc import Sequence

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.scene import COLOR_NAMES, DIGIT_NAMES, DigitScene
from florence.registry import DATASETS

CLASSES = {
    'digit': DIGIT_NAMES,
    'color': COLOR_NAMES,
    'digit_color': tuple(f'{color} {digit}' for digit in DIGIT_NAMES for color in COLOR_NAMES),
}


@DATASETS.register_module()
class DigitSceneClassification(DigitSceneDataset):
    """Scenes of one object with a class.

    Args:
        num_scenes: Length of the data set.
        task: 'digit' (10 classes), 'color' (8) or 'digit_color' (80).
        pairs: 'seen' shows only pairs of digit and colour of the training scenes, 'unseen' only the others. The classes to
            choose among are the same: with task 'digit_color' and 'unseen' a model must prefer pairs it never saw
            together over the 60 that it saw.
        templates: Name of the prompt-template set that makes class names into texts.
        split, seed, image_size, pipeline: See `DigitSceneDataset` and `SceneRecipe`.

    Raises:
        ValueError: If the task is unknown.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        task: str,
        pairs: str = 'seen',
        templates: str = 'digit_scenes',
        split: str = 'test',
        seed: int = 0,
        image_size: int = 32,
        pipeline: Sequence[dict] = (),
    ) -> None:
        if task not in CLASSES:
            raise ValueError(f'DigitSceneClassification: task must be one of {tuple(CLASSES)}, got {task!r}.')
        recipe = dict(image_size=image_size, num_objects_probs=(1.0,), pairs=pairs)
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        self.task, self.templates = task, templates
        self.metainfo['classes'] = CLASSES[task]

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`gt_label`, `classes` and `templates`."""
        item = scene.objects[0]
        color = COLOR_NAMES.index(item.color)
        label = {'digit': item.digit, 'color': color, 'digit_color': item.digit * len(COLOR_NAMES) + color}[self.task]
        return {'gt_label': label, 'classes': CLASSES[self.task], 'templates': self.templates}
