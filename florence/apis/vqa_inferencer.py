"""Visual question answering on a user's own images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from florence.apis.image_inputs import ImageSource, list_images, name_of, read_crops
from florence.apis.meter_loading import load_meter, read_meter_config
from florence.apis.readable_inputs import in_batches
from florence.apis.word_attention import draw_word_attention
from florence.models.heads import VQAHead
from florence.models.vision_language import METERModel
from florence.visualization import ClassifiedImage, draw_classification_sheet

SHOWN_ANSWERS = 3


class VQAInferencer:
    """A VQA model on images.

    Args:
        config: Config of the model or its path; its `image_size` is the side of the network input.
        checkpoint: Weights; None leaves random ones.
        device: Where the model runs.
        batch_size: Images, and questions, at a time.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or are not for visual question answering.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 64,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, got {batch_size}.')
        config = read_meter_config(config)
        self.model: METERModel = load_meter(config, checkpoint, device, head='VQAHead')
        self.image_size, self.batch_size = config.get('image_size', 384), batch_size

    @torch.no_grad()
    def __call__(
        self,
        images: ImageSource | Sequence[ImageSource],
        questions: Sequence[str],
        *,
        out_dir: str | os.PathLike | None = None,
        num_answers: int = 5,
        paired: bool = False,
        attention: bool = False,
    ) -> list[dict[str, Any]]:
        """Answer questions; every image is encoded once, however many questions are about it.

        Args:
            images: Image files, `(H, W, 3)` uint8 RGB arrays or Pillow images, one or several. Those that cannot be read are left
                out and named in the log.
            questions: What is asked: every question about every image, or, if `paired`, question i about image i.
            out_dir: Draw `vqa.png` there.
            num_answers: Answers of each result.
            paired: See `questions`.
            attention: Also draw what the words of each question look at: `attention_1.png` and so on in `out_dir`.

        Returns:
            Per image that can be read and question, image by image: `path` (`image-3` in memory), `question`, `answer`,
            `answers` (answer -> probability, best first; each answer is judged apart, so that they need not sum to 1), and with
            `attention` its picture.

        Raises:
            ValueError: If there is no image or question, a question is empty, no image can be read, the numbers of a pairing
                differ, or pictures of attention have no folder.
        """
        sources = list_images(images)
        _check(sources, questions, num_answers, paired)
        if attention and out_dir is None:
            raise ValueError('pictures of attention need a folder: give out_dir.')
        results: list[dict[str, Any]] = []
        shown: list[ClassifiedImage] = []
        for batch in in_batches(read_crops(sources, self.image_size), self.batch_size):
            indices, crops = zip(*batch, strict=True)
            asked = [
                (place, question)
                for place, index in enumerate(indices)
                for question in ([questions[index]] if paired else questions)
            ]
            for (place, question), answers in zip(asked, self._answer(crops, asked, num_answers), strict=True):
                path, best = name_of(sources[indices[place]], indices[place]), list(answers)[:SHOWN_ANSWERS]
                results.append({'path': path, 'question': question, 'answer': best[0], 'answers': answers})
                if attention:
                    picture = Path(str(out_dir), f'attention_{len(results)}.png')
                    results[-1]['attention'] = draw_word_attention(self.model, crops[place], question, picture)
                if out_dir is not None:
                    shown.append(ClassifiedImage(crops[place], best, [answers[answer] for answer in best], text=question))
        if out_dir is not None:
            draw_classification_sheet(shown, Path(out_dir) / 'vqa.png')
        return results

    def _answer(self, images: Sequence[np.ndarray], asked: list[tuple[int, str]], num_answers: int) -> list[dict[str, float]]:
        """Best answers with their probabilities for pairs of an image's index and a question."""
        model, head = self.model, self.model.head
        assert isinstance(head, VQAHead)
        names = head.answers.vocabulary.answers
        tensors = [torch.from_numpy(image).permute(2, 0, 1) for image in images]
        tokens = model.encoder.encode_image(model.data_preprocessor({'inputs': tensors})['inputs'])  # (N, L_i, D)
        found: list[dict[str, float]] = []
        for start in range(0, len(asked), self.batch_size):
            owners, questions = zip(*asked[start : start + self.batch_size], strict=True)
            probabilities = head.logits(model.encoder, tokens[list(owners)], list(questions)).float().sigmoid()
            scores, indices = probabilities.topk(min(num_answers, len(names)))
            for best, row in zip(indices.tolist(), scores.tolist(), strict=True):
                found.append({names[index]: score for index, score in zip(best, row, strict=True)})
        return found


def _check(images: Sequence[ImageSource], questions: Sequence[str], num_answers: int, paired: bool) -> None:
    if isinstance(questions, str) or not questions:
        raise ValueError(f'questions are given as a list of one question or more, got {questions!r}.')
    empty = [number for number, question in enumerate(questions, 1) if not isinstance(question, str) or not question.strip()]
    if empty:
        raise ValueError(f'question {empty[0]} of {len(questions)} is empty or no text: leave it out.')
    if paired and len(images) != len(questions):
        raise ValueError(
            f'a question for each image needs as many of both, got {len(images)} images and {len(questions)} questions.'
        )
    if num_answers < 1:
        raise ValueError(f'num_answers must be 1 or more, got {num_answers}.')
