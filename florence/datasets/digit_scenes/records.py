"""Everything that is known of a digit scene, in the form of Florence-2's records (`florence.tasks.florence2.targets`).

Texts name the objects from left to right, so that there is one right caption of each kind; the text in the picture is the digits
in the same order. What is to be grounded names them in any order: else the order alone would tell the places.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.captions import caption_of, noun_phrase, with_article
from florence.datasets.digit_scenes.questions import QUESTION_TYPES, question
from florence.datasets.digit_scenes.render import boxes_of_masks, hull_of_mask, polygons_of_mask, visible_masks
from florence.datasets.digit_scenes.scene import DIGIT_NAMES, DigitObject, DigitScene
from florence.registry import DATASETS
from florence.tasks.florence2.task import get_task, task_tags

_NUM_SCENES_TO_SHOW = 5_000
OUTLINES = {'ink': polygons_of_mask, 'hull': hull_of_mask}
_THIRDS = (('left', 'centre', 'right'), ('top', 'middle', 'bottom'))


@DATASETS.register_module()
class DigitSceneRecords(DigitSceneDataset):
    """One sample per scene: `img` and `record`.

    Args:
        num_scenes: Length of the data set.
        split, seed, recipe, pipeline: See `DigitSceneDataset`.
        outline: What the polygons of a digit enclose: 'ink', its stroke, or 'hull', all within its convex hull, in a dozen
            corners. A stroke is a few pixels wide, so that an outline of it that is one pixel off is wrong.

    Raises:
        ValueError: If `outline` is unknown.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        split: str,
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
        outline: str = 'ink',
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        if outline not in OUTLINES:
            raise ValueError(f'outline must be one of {", ".join(OUTLINES)}, got {outline!r}.')
        self.outline = OUTLINES[outline]

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`record`: texts, regions, triplets and questions; a digit that nearer ones hide entirely is in none of them."""
        masks = visible_masks(scene)
        boxes = boxes_of_masks(masks)
        order = [position for position in _from_left_to_right(scene) if masks[position].any()]
        regions = [
            _region(scene.objects[position], masks[position], boxes[position], self.outline(masks[position]))
            for position in order
        ]
        items = [scene.objects[position] for position in order]
        return {
            'record': {
                'image': f'{scene.split}/{self.sampler.seed}/{self.scene_index(index)}',
                'texts': _texts(items, scene.ground, scene.image_size),
                'regions': regions,
                'triplets': _triplets(items, regions, rng),
                'questions': _questions(scene, rng),
            }
        }

    def captions(self) -> Iterator[str]:
        """Texts, questions and answers of the first scenes, and all prompts: enough to train a tokenizer."""
        for tag in task_tags():
            yield get_task(tag).prompt.replace('{input}', '')
        for number in range(min(len(self), _NUM_SCENES_TO_SHOW)):
            rng = self.sampler.rng(number)
            scene = self.sampler.sample(rng)
            items = [scene.objects[position] for position in _from_left_to_right(scene)]
            yield from _texts(items, scene.ground, scene.image_size).values()
            for entry in _questions(scene, rng):
                yield from entry.values()


def _from_left_to_right(scene: DigitScene) -> list[int]:
    return sorted(range(len(scene.objects)), key=lambda position: scene.objects[position].center[0])


def _texts(items: list[DigitObject], ground: str, image_size: int) -> dict[str, str]:
    if not items:
        return {}
    number = 'one digit' if len(items) == 1 else f'{len(items)} digits'
    sentences = [f'there {"is" if len(items) == 1 else "are"} {number} on {with_article(ground)} ground.']
    sentences += [f'{noun_phrase(item, detailed=True)} is at the {_place(item, image_size)}.' for item in items]
    return {'brief': caption_of(items, None), 'detailed': caption_of(items, ground), 'more_detailed': ' '.join(sentences)}


def _place(item: DigitObject, image_size: int) -> str:
    """The ninth of the image in which the object's centre lies."""
    column, row = (names[min(int(3 * value / image_size), 2)] for names, value in zip(_THIRDS, item.center, strict=True))
    return f'{row} {column}'


def _region(item: DigitObject, mask: np.ndarray, box: np.ndarray, polygons: list[list[float]]) -> dict:
    return {
        'box': box.tolist(),
        'phrase': DIGIT_NAMES[item.digit],
        'brief': noun_phrase(item, detailed=True),
        'polygons': polygons,
        'text': str(item.digit),
        'quad': _quad(item, mask),
    }


def _quad(item: DigitObject, mask: np.ndarray) -> list[float]:
    """The tightest box of the mask that is turned as the object is, clockwise from its own top left, pixels."""
    rows, columns = np.nonzero(mask)
    points = np.stack([columns + 0.5, rows + 0.5], 1) - item.center  # (N, 2)
    cos, sin = math.cos(math.radians(item.angle)), math.sin(math.radians(item.angle))
    to_image = np.array([[cos, -sin], [sin, cos]])
    upright = points @ to_image
    (left, top), (right, bottom) = upright.min(0) - 0.5, upright.max(0) + 0.5
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ to_image.T + item.center
    return corners.reshape(-1).tolist()


def _triplets(items: list[DigitObject], regions: list[dict], rng: np.random.Generator) -> list[dict]:
    """Each different thing that a short caption names, with all of its boxes; the order, by chance, says nothing of the place."""
    order = rng.permutation(len(items))
    text = caption_of([items[position] for position in order], None) if items else ''
    named: dict[str, list[dict]] = {}
    for position in order:
        named.setdefault(noun_phrase(items[position], detailed=False), []).append(regions[position])
    return [
        {
            'text': text,
            'phrase': phrase,
            'boxes': [region['box'] for region in own],
            'polygons': [region['polygons'] for region in own],
        }
        for phrase, own in named.items()
    ]


def _questions(scene: DigitScene, rng: np.random.Generator) -> list[dict[str, str]]:
    text, answer, _ = question(scene, rng, QUESTION_TYPES)
    return [{'question': text, 'answer': answer}]
