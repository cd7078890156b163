"""Common part of the data sets of digit clips: which clips, their frames as decoded videos have them, and the pipeline."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from florence.datasets.digit_scenes.clips import ACTION_NAMES, ClipRecipe, ClipSampler, DigitClip
from florence.datasets.digit_scenes.render import render
from florence.registry import TRANSFORMS


class DigitClipDataset(Dataset, ABC):
    """Clips 0 to `num_clips` - 1 of a seed, rendered on the fly; a subclass adds the annotation of its task.

    A sample has the keys of a decoded video, so that mmaction's transforms can follow: `imgs`, `original_shape`, `img_shape`,
    `modality`, `total_frames`, `start_index`, `avg_fps`, `frame_inds`, `clip_len`, `frame_interval`, `num_clips`, `sample_id`.

    Args:
        num_clips: Length of the data set.
        split: 'train' or 'test': which scans of digits are shown.
        seed: Another seed gives other clips.
        recipe: Arguments of `ClipRecipe`, the distribution of clips.
        pipeline: Transforms after the rendering.

    Attributes:
        metainfo: Description of the data set for metrics; `classes` are the names of the actions.

    Raises:
        ValueError: If the split or the recipe is invalid.
    """

    metainfo: dict

    def __init__(
        self,
        num_clips: int,
        *,
        split: str,
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
    ) -> None:
        self.num_clips = num_clips
        self.sampler = ClipSampler(ClipRecipe(**(recipe or {})), split, seed)
        self.pipeline = [TRANSFORMS.build(step) for step in pipeline]
        self.metainfo = {'dataset': 'digit clips', 'split': split, 'classes': ACTION_NAMES}

    def __len__(self) -> int:
        return self.num_clips

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of the actions, in the order of their labels."""
        return ACTION_NAMES

    @abstractmethod
    def annotate(self, clip: DigitClip, rng: np.random.Generator, index: int) -> dict:
        """Annotation of the task for one clip; `rng` goes on from where the clip was drawn."""

    def clip_index(self, index: int) -> int:
        """Number of the clip behind entry `index`."""
        return index

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f'{type(self).__name__} has {len(self)} clips, there is no number {index}.')
        number = self.clip_index(index)
        rng = self.sampler.rng(number)
        clip = self.sampler.sample(rng)
        recipe = self.sampler.recipe
        results = {
            'imgs': [render(frame) for frame in clip.frames],
            'original_shape': (recipe.image_size, recipe.image_size),
            'img_shape': (recipe.image_size, recipe.image_size),
            'modality': 'RGB',
            'total_frames': recipe.num_frames,
            'start_index': 0,
            'avg_fps': recipe.frame_rate,
            'frame_inds': np.arange(recipe.num_frames),
            'clip_len': recipe.num_frames,
            'frame_interval': 1,
            'num_clips': 1,
            'sample_id': f'clips/{self.sampler.split}/{self.sampler.seed}/{number}',
        }
        results.update(self.annotate(clip, rng, index))
        for step in self.pipeline:
            results = step(results)
        return results
