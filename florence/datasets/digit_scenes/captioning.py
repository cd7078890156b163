"""Captioning on digit scenes: detailed captions, every order of naming the objects being right."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.captions import caption_of
from florence.datasets.digit_scenes.scene import DigitScene
from florence.registry import DATASETS

_NUM_CAPTIONS_TO_SHOW = 20_000


def right_captions(scene: DigitScene) -> tuple[str, ...]:
    """Detailed captions of a scene, one for each order of its objects; distinct."""
    return tuple(dict.fromkeys(caption_of(items, scene.ground) for items in permutations(scene.objects)))


@DATASETS.register_module()
class DigitSceneCaptions(DigitSceneDataset):
    """Scenes with all right captions for an evaluation, with one of them, drawn once and for all, for training.

    Args:
        num_scenes: Length of the data set.
        split: 'train' gives `text`, 'test' gives `captions`.
        seed, recipe, pipeline: See `DigitSceneDataset`.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        split: str = 'train',
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        self.split = split

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`text` or `captions`, and `image_id`, the number of the scene."""
        if self.split == 'test':
            return {'captions': right_captions(scene), 'image_id': index}
        return {'text': self._text(scene, rng), 'image_id': index}

    def captions(self) -> Iterator[str]:
        """Captions of the first scenes, without rendering them: enough to train a tokenizer."""
        for index in range(min(len(self), _NUM_CAPTIONS_TO_SHOW)):
            rng = self.sampler.rng(index)
            yield self._text(self.sampler.sample(rng), rng)

    def _text(self, scene: DigitScene, rng: np.random.Generator) -> str:
        order = rng.permutation(len(scene.objects))
        return caption_of([scene.objects[position] for position in order], scene.ground)
