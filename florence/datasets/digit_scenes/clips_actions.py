"""Action recognition on digit clips: which of ten actions a digit does."""

import numpy as np

from florence.datasets.digit_scenes.clips import DigitClip
from florence.datasets.digit_scenes.clips_base import DigitClipDataset
from florence.registry import DATASETS


@DATASETS.register_module()
class DigitClipActions(DigitClipDataset):
    """Clips with `label`, the index of the action; and with `classes` and `templates` for zero-shot classification.

    Args:
        num_clips, split, seed, recipe, pipeline: See `DigitClipDataset`.
    """

    TEMPLATES = 'digit_clips'

    def annotate(self, clip: DigitClip, rng: np.random.Generator, index: int) -> dict:
        """`label`, `classes` and `templates`."""
        return {'label': clip.label, 'classes': self.action_names, 'templates': self.TEMPLATES}
