"""Text-video pairs of digit clips: captions to train with, and clips with distinct captions to retrieve."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from florence.datasets.digit_scenes.captions import GRANULARITIES
from florence.datasets.digit_scenes.clips import DigitClip
from florence.datasets.digit_scenes.clips_base import DigitClipDataset
from florence.datasets.digit_scenes.clips_captions import clip_caption
from florence.registry import DATASETS

_NUM_CAPTIONS_TO_SHOW = 20_000
_DEFAULT_PROBS = {'short': 0.2, 'medium': 0.4, 'detailed': 0.4}


@DATASETS.register_module()
class DigitClipPairs(DigitClipDataset):
    """Clips with a caption: `text` in training, of a granularity drawn at random; `captions`, the one right caption, in tests.

    Many training clips share a text, as on the web. Captions of the test split all differ: clips are taken in order of their
    number, and one whose caption has occurred is passed over.

    Args:
        num_clips, split, seed, recipe, pipeline: See `DigitClipDataset`.
        granularity_probs: Probability of 'short', 'medium' and 'detailed' training captions.
        test_granularity: Granularity of the test captions: 800 'medium' ones are possible, as many as there are actions, digits
            and colours.

    Raises:
        ValueError: If a granularity is unknown, the probabilities do not sum to 1, or there are too few distinct captions.
    """

    def __init__(
        self,
        num_clips: int,
        *,
        split: str = 'train',
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
        granularity_probs: Mapping[str, float] | None = None,
        test_granularity: str = 'medium',
    ) -> None:
        super().__init__(num_clips, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        probs = dict(granularity_probs or _DEFAULT_PROBS)
        unknown = {*probs, test_granularity} - set(GRANULARITIES)
        if unknown or abs(sum(probs.values()) - 1) > 1e-6:
            raise ValueError(
                f'granularity_probs must give probabilities that sum to 1 to some of {GRANULARITIES}, and test_granularity be '
                f'one of them, got {probs} and {test_granularity!r}.'
            )
        self.split = split
        self._granularities, self._edges = tuple(probs), np.cumsum(list(probs.values()))
        if split == 'test':
            self._numbers, self._captions = self._distinct_captions(test_granularity)

    def clip_index(self, index: int) -> int:
        """Number of the clip behind entry `index`."""
        return self._numbers[index] if self.split == 'test' else index

    def annotate(self, clip: DigitClip, rng: np.random.Generator, index: int) -> dict:
        """`text` or `captions`, and `image_id`, the entry."""
        if self.split == 'test':
            return {'captions': (self._captions[index],), 'image_id': index}
        return {'text': self._text(clip, rng), 'image_id': index}

    def captions(self) -> Iterator[str]:
        """Captions of the first clips, without rendering them: enough to train a tokenizer."""
        if self.split == 'test':
            yield from self._captions
            return
        for index in range(min(len(self), _NUM_CAPTIONS_TO_SHOW)):
            rng = self.sampler.rng(index)
            yield self._text(self.sampler.sample(rng), rng)

    def _text(self, clip: DigitClip, rng: np.random.Generator) -> str:
        choice = min(int(np.searchsorted(self._edges, rng.random(), side='right')), len(self._edges) - 1)
        return clip_caption(clip, self._granularities[choice])

    def _distinct_captions(self, granularity: str) -> tuple[list[int], list[str]]:
        """Numbers of the first clips whose captions differ, and these captions."""
        numbers: dict[str, int] = {}
        for number in range(20 * self.num_clips):
            numbers.setdefault(clip_caption(self.sampler.sample(self.sampler.rng(number)), granularity), number)
            if len(numbers) == self.num_clips:
                return list(numbers.values()), list(numbers)
        raise ValueError(
            f'DigitClipPairs: only {len(numbers)} distinct captions found for num_clips={self.num_clips}: ask for fewer clips, '
            "or for test_granularity='detailed'."
        )
