"""Image-text pairs of digit scenes: what contrastive pretraining reads."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.captions import GRANULARITIES, caption
from florence.datasets.digit_scenes.scene import DigitScene
from florence.registry import DATASETS

_NUM_CAPTIONS_TO_SHOW = 20_000


@DATASETS.register_module()
class DigitScenePairs(DigitSceneDataset):
    """One caption per scene, of a granularity drawn at random; many scenes share a text, as on the web.

    Args:
        num_scenes: Length of the data set; scenes are rendered on the fly, so it costs nothing.
        granularity_probs: Probability of 'short' (one or two words, to be expanded by a template), 'medium' and 'detailed'
            captions. Stage 2 of the recipe, which drops templated texts, gives 'short' the probability 0.
        split, seed, recipe, pipeline: See `DigitSceneDataset`.

    Raises:
        ValueError: If a granularity is unknown or the probabilities do not sum to 1.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        granularity_probs: Mapping[str, float],
        split: str = 'train',
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        unknown = set(granularity_probs) - set(GRANULARITIES)
        if unknown or abs(sum(granularity_probs.values()) - 1) > 1e-6:
            raise ValueError(
                f'granularity_probs must give probabilities that sum to 1 to some of {GRANULARITIES}, got '
                f'{dict(granularity_probs)}.'
            )
        self._granularities = tuple(granularity_probs)
        self._edges = np.cumsum(list(granularity_probs.values()))

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`text`: the caption."""
        return {'text': self._caption(scene, rng)}

    def captions(self) -> Iterator[str]:
        """Captions of the first scenes, without rendering them: enough to train a tokenizer."""
        for index in range(min(len(self), _NUM_CAPTIONS_TO_SHOW)):
            rng = self.sampler.rng(index)
            yield self._caption(self.sampler.sample(rng), rng)

    def _caption(self, scene: DigitScene, rng: np.random.Generator) -> str:
        choice = min(int(np.searchsorted(self._edges, rng.random(), side='right')), len(self._edges) - 1)
        return caption(scene, self._granularities[choice], rng)
