"""Florence-2 on a user's own images: any of its tasks, or one that the user has registered."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor

from florence.apis.image_inputs import ImageSource, list_images, name_of, read_images
from florence.apis.model_loading import build_model, load_weights_if_given, usable_device
from florence.apis.readable_inputs import in_batches
from florence.datasets.transforms import ResizePad, ResizeWhole
from florence.export.florence2_onnx import Florence2Onnx
from florence.models.florence2 import Florence2
from florence.models.seq2seq import Hypothesis
from florence.tasks.florence2.box_scores import box_scores
from florence.tasks.florence2.canvas import REGIONS, parse_on_canvas
from florence.tasks.florence2.parsers import ParserOptions
from florence.tasks.florence2.prompts import PromptInput
from florence.tasks.florence2.task import get_task, make_prompt, require_input
from florence.visualization import AnsweredImage, draw_answer_sheet

MAX_ROWS = 50

Question = str | tuple[str, PromptInput]


class _View(NamedTuple):
    """What the model sees of an image.

    Attributes:
        pixels: `(3, H, W)` uint8 at the size of the network input.
        size: Width and height of the image.
        canvas: The same with padding.
    """

    pixels: Tensor
    size: tuple[int, int]
    canvas: tuple[float, float]


class Florence2Inferencer:
    """A Florence-2 model on images.

    Args:
        config: Config of the model or its path; its `image_size` is the side of the network input, or height and width, and
            `keep_ratio=True` says that images are padded to it (`ResizePad`), not stretched.
        checkpoint: Weights; None leaves random ones, for a tokenizer with a ready vocabulary only.
        device: Where the model runs.
        batch_size: Prompts at a time, of as many images.
        parser: Arguments of `ParserOptions`: how answers are read.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or the config has no Florence-2, or there is no such device.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 16,
        parser: dict | None = None,
    ) -> None:
        model, image_size, keep_ratio = load_florence2(config, checkpoint)
        self._use(model.to(usable_device(device)), image_size, keep_ratio, batch_size, parser)

    @classmethod
    def from_onnx(cls, folder: str | os.PathLike, batch_size: int = 16, parser: dict | None = None) -> 'Florence2Inferencer':
        """An exported model in place of one in PyTorch, on the CPU.

        Args:
            folder: As `tools/model_converters/florence2_to_onnx.py` writes it.
            batch_size, parser: As above.

        Raises:
            ImportError: If onnxruntime is not installed.
            FileNotFoundError: If a file is missing.
            ValueError: If the files do not belong together.
        """
        inferencer = cls.__new__(cls)
        model = Florence2Onnx(folder)
        inferencer._use(model, model.image_size, model.keep_ratio, batch_size, parser)
        return inferencer

    def _use(
        self,
        model: Florence2 | Florence2Onnx,
        image_size: tuple[int, int],
        keep_ratio: bool,
        batch_size: int,
        parser: dict | None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, got {batch_size}.')
        self.model, self.batch_size = model, batch_size
        self.resize = (ResizePad if keep_ratio else ResizeWhole)(*image_size)
        self.parser = ParserOptions(**(parser or {}))

    @torch.no_grad()
    def __call__(
        self,
        images: ImageSource | Sequence[ImageSource],
        questions: Sequence[Question],
        *,
        score_mode: str = 'loc',
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict[str, Any]]:
        """Ask about images; each is encoded once, however many questions there are, several at a time.

        Args:
            images: Image files, `(H, W, 3)` uint8 RGB arrays or Pillow images, one or several. Those that cannot be read are left
                out and named in the log.
            questions: Task tags such as '<OD>', or pairs of tag and input such as ('<VQA>', 'what is it?'); see
                `florence.tasks.florence2.prompts.input_text`.
            score_mode: How regions are scored, see `florence.tasks.florence2.box_scores`.
            out_dir: Draw `florence2.png` there, of the first 50 answers.

        Returns:
            Per image that can be read and question, image by image: `path` (`image-3` in memory), `task`, `input`, `answer`,
            the text as it was written, and what is read in it: `text`, or `labels` and `boxes`, `quads` or `polygons` in pixels
            of the file, with `scores`.

        Raises:
            KeyError: If a task is unknown.
            ValueError: If there is no image or question, an input is missing or wrong, or no image can be read.
        """
        sources, asked = list_images(images), read_questions(questions)
        results: list[dict[str, Any]] = []
        shown: list[AnsweredImage] = []
        for batch in in_batches(read_images(sources), max(1, self.batch_size // len(asked))):
            views = [self._view(image) for _, image in batch]
            names = [name_of(sources[index], index) for index, _ in batch]
            prompts = [[make_prompt(tag, given, view.size, view.canvas) for tag, given in asked] for view in views]
            answers = self._answers([view.pixels for view in views], prompts, names)
            for (_, image), view, name in zip(batch, views, names, strict=True):
                for tag, given in asked:
                    found = self._read(tag, next(answers), view, score_mode)
                    results.append({'path': name, 'task': tag, 'input': given, **found})
                    if out_dir is not None and len(shown) < MAX_ROWS:
                        shown.append(_panel(image, Path(name).name, results[-1]))
        if out_dir is not None:
            draw_answer_sheet(shown, Path(out_dir) / 'florence2.png')
            if len(results) > MAX_ROWS:
                print_log(f'florence2.png shows {MAX_ROWS} of {len(results)} answers.', logger='current')
        return results

    def _view(self, image: np.ndarray) -> _View:
        resized, size = self.resize({'img': image}), (image.shape[1], image.shape[0])
        pixels = torch.from_numpy(resized['img']).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        return _View(pixels, size, resized.get('canvas_shape', size[::-1])[::-1])

    def _answers(self, images: list[Tensor], prompts: list[list[str]], names: list[str]) -> Iterator[Hypothesis]:
        """The best answer to each prompt of each image, one after the other."""
        tokens = self.model.encode_images(self.model.data_preprocessor({'inputs': images})['inputs'])
        asked = [(place, prompt) for place, own in enumerate(prompts) for prompt in own]
        for batch in in_batches(iter(asked), self.batch_size):
            owners, texts = zip(*batch, strict=True)
            for best, *_ in self.model.generate(tokens[list(owners)], list(texts), names=[names[owner] for owner in owners]):
                yield best

    def _read(self, tag: str, answer: Hypothesis, view: _View, score_mode: str) -> dict[str, Any]:
        text, spans = self.model.tokenizer.tokenizer.decode_with_spans(answer.tokens)
        parsed = parse_on_canvas(get_task(tag), text, view.size, view.canvas, self.parser)
        if 'spans' in parsed:
            parsed['scores'] = box_scores(parsed, answer.log_probs[: len(spans)], spans, score_mode)
        return {'answer': text, **{key: value for key, value in parsed.items() if not key.endswith('spans')}}


def read_questions(questions: Sequence[Question]) -> list[tuple[str, PromptInput]]:
    """Tag and input of each question, checked as far as it goes without an image.

    Raises:
        KeyError: If a task is unknown.
        ValueError: If there is no question, one has another form, or an input is missing or not asked for.
    """
    if isinstance(questions, str) or not questions:
        raise ValueError(f'questions are given as a list of one question or more, got {questions!r}.')
    asked: list[tuple[str, PromptInput]] = []
    for question in questions:
        if not isinstance(question, str) and (not isinstance(question, tuple | list) or len(question) != 2):
            raise ValueError(f"a question is a task tag such as '<OD>', or a pair of tag and input, got {question!r:.80}.")
        tag, prompt_input = (question, None) if isinstance(question, str) else question
        if require_input(tag, prompt_input).input_kind == 'names' and isinstance(prompt_input, str) and ',' in prompt_input:
            names = [name.strip() for name in prompt_input.split(',')]
            raise ValueError(f'task {tag} got one class name, {prompt_input!r}: give several as a list, {names}.')
        asked.append((tag, prompt_input))
    return asked


def load_florence2(config: str | Config, checkpoint: str | None = None) -> tuple[Florence2, tuple[int, int], bool]:
    """A model in evaluation mode on the CPU, height and width of its images, and whether they are padded to them, not stretched.

    Args:
        config: Config of the model or its path; its `image_size` is the side of the network input, or height and width.
        checkpoint: Weights; None leaves random ones.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, the config has no Florence-2, or its vocabulary is in a checkpoint that is not
            given.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'no config file {config!r}: give the path of a config in configs/florence2/.')
        config = Config.fromfile(config)
    model = build_model(config, 'florence')
    if not isinstance(model, Florence2):
        raise ValueError('this config has no model of type Florence2: give a config of configs/florence2/.')
    if checkpoint is None and config.model.get('tokenizer', {}).get('vocabulary') == 'trained':
        raise ValueError('the vocabulary of this model is learned in its training and lies in its checkpoint: give one.')
    load_weights_if_given(model, checkpoint)
    size = config.get('image_size', 768)
    height, width = (size, size) if isinstance(size, int) else size
    return model.eval(), (height, width), config.get('keep_ratio', False)


def _panel(image: np.ndarray, name: str, result: dict[str, Any]) -> AnsweredImage:
    """The picture of one result."""
    task = result['task'] if result['input'] is None else f'{result["task"]} {result["input"]}'
    kind = next((kind for kind in REGIONS if result.get(kind)), None)
    if kind is None:
        return AnsweredImage(image, task, result['answer'], name=name)
    outlines = [[_corners(region)] if kind != 'polygons' else region for region in result[kind]]
    labels = [
        f'{label} {score:.2f}'.strip() if kind == 'boxes' else label
        for label, score in zip(result['labels'], result['scores'], strict=True)
    ]
    return AnsweredImage(image, task, result['answer'], outlines, labels, filled=kind == 'polygons', name=name)


def _corners(region: Sequence[float]) -> Sequence[float]:
    if len(region) != 4:
        return region
    x1, y1, x2, y2 = region
    return [x1, y1, x2, y1, x2, y2, x1, y2]
