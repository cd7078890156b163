"""Visual question answering on digit scenes, in the form of VQAv2: ten annotators' answers, here of one mind."""

from collections.abc import Iterator, Sequence

import numpy as np

from florence.datasets.digit_scenes.base import DigitSceneDataset
from florence.datasets.digit_scenes.questions import MAX_OBJECTS, QUESTION_TYPES, answer_type, question
from florence.datasets.digit_scenes.scene import DigitScene
from florence.registry import DATASETS

NUM_ANNOTATORS = 10
_NUM_QUESTIONS_TO_SHOW = 5_000


@DATASETS.register_module()
class DigitSceneVQA(DigitSceneDataset):
    """Questions of random types, one scene after another.

    Args:
        num_scenes: Number of scenes; they are rendered on the fly, so it costs nothing.
        split, seed, recipe, pipeline: See `DigitSceneDataset`.
        question_types: Some of `QUESTION_TYPES`; one that is named twice is asked twice as often.
        questions_per_scene: Questions about each scene, entries that follow each other.

    Raises:
        ValueError: If a question type is unknown, there is no question about a scene, or the recipe has more objects than there
            are numbers among the answers.
    """

    def __init__(
        self,
        num_scenes: int,
        *,
        split: str,
        seed: int = 0,
        recipe: dict | None = None,
        pipeline: Sequence[dict] = (),
        question_types: Sequence[str] = QUESTION_TYPES,
        questions_per_scene: int = 1,
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        unknown = set(question_types) - set(QUESTION_TYPES)
        if unknown or not question_types:
            raise ValueError(f'question_types must be some of {QUESTION_TYPES}, got {tuple(question_types)}.')
        if len(self.sampler.recipe.num_objects_probs) > MAX_OBJECTS:
            raise ValueError(f'DigitSceneVQA asks about at most {MAX_OBJECTS} objects: shorten num_objects_probs.')
        if questions_per_scene < 1:
            raise ValueError(f'questions_per_scene must be 1 or more, got {questions_per_scene}.')
        self.question_types = tuple(question_types)
        self.questions_per_scene = questions_per_scene

    def __len__(self) -> int:
        return self.num_scenes * self.questions_per_scene

    def scene_index(self, index: int) -> int:
        """Number of the scene behind entry `index`."""
        return index // self.questions_per_scene

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`text`: the question; `answers`, `answer_scores`; `question_id`, `question_type`, `answer_type`."""
        for _ in range(index % self.questions_per_scene + 1):
            text, answer, kind = question(scene, rng, self.question_types)
        return {
            'text': text,
            'answers': (answer,) * NUM_ANNOTATORS,
            'answer_scores': {answer: 1.0},
            'question_id': index,
            'question_type': kind,
            'answer_type': answer_type(answer),
            'image_id': self.scene_index(index),
        }

    def captions(self) -> Iterator[str]:
        """Questions of the first scenes, without rendering them: enough to train a tokenizer."""
        for number in range(min(self.num_scenes, _NUM_QUESTIONS_TO_SHOW)):
            rng = self.sampler.rng(number)
            yield question(self.sampler.sample(rng), rng, self.question_types)[0]
