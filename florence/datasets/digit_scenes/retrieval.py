"""Image-text retrieval on digit scenes: as many distinct captions as images."""

from collections.abc import Sequence

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.captions import caption
from florence.datasets.digit_scenes.scene import DigitScene
from florence.registry import DATASETS


@DATASETS.register_module()
class DigitSceneRetrieval(DigitSceneDataset):
    """Scenes whose detailed captions all differ, so that each caption has exactly one right image.

    Scenes are taken in order of their number; one whose caption has occurred is passed over.

    Args:
        num_scenes: Length of the data set.
        split, seed, recipe, pipeline: See `DigitSceneDataset`.

    Raises:
        ValueError: If the recipe does not yield enough distinct captions.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        split: str = 'test',
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        self._numbers: list[int] = []
        self._captions: list[str] = []
        seen: set[str] = set()
        for number in range(100 * num_scenes):
            rng = self.sampler.rng(number)
            text = caption(self.sampler.sample(rng), 'detailed', rng)
            if text not in seen:
                seen.add(text)
                self._numbers.append(number)
                self._captions.append(text)
            if len(self._numbers) == num_scenes:
                return
        raise ValueError(
            f'DigitSceneRetrieval: only {len(self._numbers)} distinct captions found for num_scenes={num_scenes}: ask for '
            'fewer scenes or allow more objects in the recipe.'
        )

    def scene_index(self, index: int) -> int:
        """Number of the scene behind entry `index`."""
        return self._numbers[index]

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`captions`: the one right caption; `image_id`: the entry."""
        return {'captions': (self._captions[index],), 'image_id': index}
