"""The answer vocabulary as a part of the model, so that a checkpoint knows what its outputs mean."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from florence.tasks.answer_vocabulary import AnswerVocabulary


class AnswerVocabularyModule(nn.Module):
    """Holds a vocabulary; a tensor of JSON bytes in the state dict carries it.

    Args:
        answers: The answers, in the order of the classifier's outputs, or a file of them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no vocabulary.
    """

    def __init__(self, answers: str | Path | Sequence[str]) -> None:
        super().__init__()
        from_file = isinstance(answers, str | Path)
        self.vocabulary = AnswerVocabulary.from_file(answers) if from_file else AnswerVocabulary(answers)

    def targets(self, scores: Sequence[dict[str, float]]) -> Tensor:
        """Soft scores of all answers, `(B, A)` fp32.

        Args:
            scores: Answer -> score, one dict per question.
        """
        targets = torch.zeros(len(scores), len(self.vocabulary))
        found = self.vocabulary.targets(scores)
        rows = [row for row, target in enumerate(found) for _ in target]
        columns = [index for target in found for index in target]
        targets[rows, columns] = torch.tensor([score for target in found for score in target.values()])
        return targets

    def get_extra_state(self) -> Tensor:
        """JSON bytes of the vocabulary, `(n,)` uint8."""
        return torch.tensor(list(json.dumps(self.vocabulary.state()).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Check that a checkpoint has the same vocabulary.

        Raises:
            ValueError: If it has another one.
        """
        stored = AnswerVocabulary.from_state(json.loads(bytes(state.cpu().tolist())))
        self.vocabulary.require_same(stored, 'the checkpoint')
