"""Visual question answering as classification over frequent answers (Florence, arXiv 2111.11432, section 3.7).

Source: METER (arXiv 2111.02387, section 4.1): soft targets from the annotators' agreement, binary cross entropy summed over the
answers. An image that successive questions of a batch are about (VQAv2 has five of an image) is encoded once.
"""

import logging
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from florence.models.heads.answer_vocabulary_module import AnswerVocabularyModule
from florence.models.heads.pair_classifier import pair_classifier
from florence.models.vision_language.meter_encoder import METEREncoder
from florence.registry import MODELS
from florence.structures import ImageTextSample


@MODELS.register_module()
class VQAHead(BaseModule):
    """Chooses an answer.

    Args:
        answers: The answers, or a file of them (`florence.tasks.answer_vocabulary`).
        embed_dims: Width D of the tokens.
        hidden_dims: Hidden width of the classifier; None = 2 D.
        num_top_answers: Answers of a prediction that are kept with their probabilities.
        first_score: Probability that an untrained head gives each answer: 0.5 as METER, about one over the number of answers
            saves a short training the steps that lower it.
        init_cfg: Initialisation of mmengine.

    Attributes:
        num_unreachable: Training questions so far without an answer in the vocabulary; they teach "none of these". A data set
            that is given the vocabulary leaves them out.

    Raises:
        FileNotFoundError: If there is no such file of answers.
        ValueError: If the answers are no vocabulary, or no answer is to be kept.
    """

    def __init__(
        self,
        answers: str | Sequence[str],
        embed_dims: int,
        *,
        hidden_dims: int | None = None,
        num_top_answers: int = 5,
        first_score: float = 0.5,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_top_answers < 1:
            raise ValueError(f'VQAHead: num_top_answers must be 1 or more, got {num_top_answers}.')
        if not 0 < first_score < 1:
            raise ValueError(f'VQAHead: first_score must lie between 0 and 1, got {first_score}.')
        self.num_unreachable = 0
        self.answers = AnswerVocabularyModule(answers)
        num_answers = len(self.answers.vocabulary)
        self.num_top_answers = min(num_top_answers, num_answers)
        self.classifier = pair_classifier(2 * embed_dims, hidden_dims or 2 * embed_dims, num_answers)
        nn.init.constant_(self.classifier[-1].bias, math.log(first_score / (1 - first_score)))

    def loss(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """Binary cross entropy, and the mean soft score of the chosen answers for the log.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: With `text` and `answer_scores`.

        Raises:
            ValueError: If a sample has no answers.
        """
        without = [sample.get('sample_id') for sample in data_samples if not sample.get('answer_scores')]
        if without:
            raise ValueError(
                f'{len(without)} training samples have no answer_scores, e.g. {without[0]!r}: train on a set with annotations.'
            )
        logits = self._logits(encoder, inputs, data_samples)
        targets = self.answers.targets([sample.answer_scores for sample in data_samples])
        self._count_unreachable(int((targets == 0).all(1).sum()))
        targets = targets.to(logits.device)
        loss = F.binary_cross_entropy_with_logits(logits.float(), targets) * logits.shape[1]
        chosen = targets.gather(1, logits.detach().argmax(1, keepdim=True))
        return {'loss_vqa': loss, 'vqa_score': chosen.mean()}

    @torch.no_grad()
    def predict(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """The samples with `pred_answer`, `pred_answers` and `pred_answer_scores`."""
        probabilities = self._logits(encoder, inputs, data_samples).float().sigmoid()
        scores, indices = probabilities.topk(self.num_top_answers)
        answers = self.answers.vocabulary.answers
        for sample, best, row in zip(data_samples, indices.tolist(), scores.tolist(), strict=True):
            sample.pred_answers = tuple(answers[index] for index in best)
            sample.pred_answer_scores = tuple(row)
            sample.pred_answer = sample.pred_answers[0]
        return data_samples

    def logits(self, encoder: METEREncoder, image: Tensor, questions: list[str]) -> Tensor:
        """Logits of all answers, `(B, A)`.

        Args:
            encoder: The encoders and fusion.
            image: Image tokens of each question, `(B, L_i, D)`, as `encode_image` gives them.
            questions: B non-empty strings.
        """
        text, mask = encoder.encode_text(questions)
        return self.classifier(encoder.pool(*encoder.fuse(text, image, mask)))

    def _count_unreachable(self, found: int) -> None:
        before, self.num_unreachable = self.num_unreachable, self.num_unreachable + found
        if found and (before == 0 or len(str(before)) < len(str(self.num_unreachable))):  # the 1st, 10th, 100th, ...
            print_log(
                f'VQAHead: {self.num_unreachable} training question(s) had no answer among the {len(self.answers.vocabulary)} of '
                'the model: give the data set the same answer_file, or a vocabulary that was built from its answers.',
                logger='current',
                level=logging.WARNING,
            )

    def _logits(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> Tensor:
        is_new = (inputs[1:] != inputs[:-1]).flatten(1).any(1)  # pixels tell, not names: augmentation makes images differ
        is_new = torch.cat([is_new.new_ones(1), is_new])
        image = encoder.encode_image(inputs[is_new])[is_new.cumsum(0) - 1]
        return self.logits(encoder, image, [sample.text for sample in data_samples])
