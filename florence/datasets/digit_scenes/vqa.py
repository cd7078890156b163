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
    """One question per scene.

    Args:
        num_scenes: Length of the data set; scenes are rendered on the fly, so it costs nothing.
        split, seed, recipe, pipeline: See `DigitSceneDataset`.
        question_types: Some of `QUESTION_TYPES`.

    Raises:
        ValueError: If a question type is unknown, or the recipe has more objects than there are numbers among the answers.
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
    ) -> None:
        super().__init__(num_scenes, split=split, seed=seed, recipe=recipe, pipeline=pipeline)
        unknown = set(question_types) - set(QUESTION_TYPES)
        if unknown or not question_types:
            raise ValueError(f'question_types must be some of {QUESTION_TYPES}, got {tuple(question_types)}.')
        if len(self.sampler.recipe.num_objects_probs) > MAX_OBJECTS:
            raise ValueError(f'DigitSceneVQA asks about at most {MAX_OBJECTS} objects: shorten num_objects_probs.')
        self.question_types = tuple(question_types)

    def annotate(self, scene: DigitScene, rng: np.random.Generator, index: int) -> dict:
        """`text`: the question; `answers`, `answer_scores`; `question_id`, `question_type`, `answer_type`."""
        text, answer, kind = question(scene, rng, self.question_types)
        return {
            'text': text,
            'answers': (answer,) * NUM_ANNOTATORS,
            'answer_scores': {answer: 1.0},
            'question_id': self.scene_index(index),
            'question_type': kind,
            'answer_type': answer_type(answer),
            'image_id': self.scene_index(index),
        }

    def captions(self) -> Iterator[str]:
        """Questions of the first scenes, without rendering them: enough to train a tokenizer."""
        for index in range(min(len(self), _NUM_QUESTIONS_TO_SHOW)):
            rng = self.sampler.rng(index)
            yield question(self.sampler.sample(rng), rng, self.question_types)[0]
