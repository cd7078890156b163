"""Common part of the digit-scene data sets: which scenes, and the pipeline behind them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from florence.datasets.digit_scenes.render import render
from florence.datasets.digit_scenes.scene import DigitScene, SceneRecipe, SceneSampler
from florence.registry import TRANSFORMS


class DigitSceneDataset(Dataset, ABC):
    """Scenes 0 to `num_scenes` - 1 of a seed, rendered on the fly; a subclass adds the annotation of its task.

    Args:
        num_scenes: Length of the data set.
        split: 'train' or 'test': which scans of digits are shown.
        seed: Another seed gives other scenes.
        recipe: Arguments of `SceneRecipe`, the distribution of scenes.
        pipeline: Transforms after the rendering; they get `img`, `sample_id`, and the annotation of the task.

    Attributes:
        metainfo: Description of the data set for metrics.

    Raises:
        ValueError: If the split or the recipe is invalid.
    """

    metainfo: dict

    def __init__(
        self,
        num_scenes: int,
        *,
        split: str,
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
    ) -> None:
        self.num_scenes = num_scenes
        self.sampler = SceneSampler(SceneRecipe(**(recipe or {})), split, seed)
        self.pipeline = [TRANSFORMS.build(step) for step in pipeline]
        self.metainfo = {'dataset': 'digit scenes', 'split': split}

    def __len__(self) -> int:
        return self.num_scenes

    @abstractmethod
    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """Annotation of the task for one scene; `rng` goes on from where the scene was drawn."""

    def image(self, scene: DigitScene) -> np.ndarray:
        """Picture of a scene, `(S, S, 3)` uint8 RGB."""
        return render(scene)

    def scene_index(self, index: int) -> int:
        """Number of the scene behind entry `index`."""
        return index

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f'{type(self).__name__} has {len(self)} scenes, there is no number {index}.')
        number = self.scene_index(index)
        rng = self.sampler.rng(number)
        scene = self.sampler.sample(rng)
        results = {'img': self.image(scene), 'sample_id': f'{scene.split}/{self.sampler.seed}/{number}'}
        results.update(self.annotate(scene, rng, index))
        for step in self.pipeline:
            results = step(results)
        return results
