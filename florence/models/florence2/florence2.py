"""Florence-2: images and a prompt in, text out, for every task (arXiv 2311.06242, section 3).

Places are words too: boxes, quads and polygons are location tokens of the vocabulary (`florence.tasks.florence2`). Image tokens
come before the prompt; the decoder writes the answer, with the next-token cross-entropy of the answer's tokens as the loss.

Differs from Microsoft's code: padding of prompts is masked, as transformers does, unless `attends_to_padding`; images need not be
square; what does not fit the positions is refused, never cut.

Axes: B samples, N_i image tokens, N tokens of image and prompt, L tokens of the answer, D width.
"""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from florence.models.data_preprocessors import ImageTextPreprocessor
from florence.models.florence2.answering import Answering, require_positions, require_room
from florence.models.florence2.image_tokens import ImageTokens
from florence.models.florence2.language_model import LanguageModel
from florence.models.florence2.lora import add_lora, require_same_adapters
from florence.models.florence2.smooth_locations import smooth_rows_
from florence.models.florence2.text_decoding import TextDecoding
from florence.models.florence2.token_table import extend_table, rows_of
from florence.models.language import TokenizerModule
from florence.models.losses.token_cross_entropy import token_cross_entropy
from florence.models.seq2seq import BeamSettings, Hypothesis
from florence.registry import MODELS, TOKENIZERS
from florence.structures import ImageTextSample

IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
RELEASED_SEARCH = dict(num_beams=3, no_repeat_ngram_size=3, early_stopping=True)


@MODELS.register_module()
class Florence2(BaseModel):
    """Vision tower, projector, and a language model of encoder and decoder.

    Args:
        vision_tower: Backbone: `(B, 3, H, W)` -> tuple of maps; needs `embed_dims`, the width of the last one.
        language_model: Arguments of `LanguageModel` but the vocabulary's.
        tokenizer: Config of a `Florence2Tokenizer`; released weights need the released vocabulary.
        projector: Arguments of `ImageTokens` but the widths.
        search: Arguments of `BeamSettings`, how answers are searched; what is not given is as in the release, and the longest
            answer is that of the decoder's positions.
        attends_to_padding: Whether the padding of prompts is read as text, as Microsoft's code does: then the answer depends on
            the longest prompt of the batch.
        smooth_locations: Whether location tokens start with embeddings that are alike where their places are near, for small
            models; weights that are loaded take their place.
        trained_tokens: Groups of tokens whose embeddings learn while those of all others stay as they are: 'new' (the tokenizer's
            `new_tokens`), 'locations'; None: all learn, or with `lora` none.
        lora: Arguments of `add_lora`: low-rank adapters learn, all else is frozen; None: everything learns.
        data_preprocessor: None: `ImageTextPreprocessor` with ImageNet's mean and deviation.
        init_cfg: Initialisation of mmengine, e.g. `dict(type='Pretrained', checkpoint=...)`.
    """

    def __init__(
        self,
        vision_tower: dict | nn.Module,
        language_model: dict,
        tokenizer: dict,
        *,
        projector: dict | None = None,
        search: dict | None = None,
        attends_to_padding: bool = False,
        smooth_locations: bool = False,
        trained_tokens: Sequence[str] | None = None,
        lora: dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if data_preprocessor is None:
            data_preprocessor = ImageTextPreprocessor(IMAGENET_MEAN, IMAGENET_STD)
        elif isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        self.tokenizer = TokenizerModule(TOKENIZERS.build(tokenizer))
        words = self.tokenizer.tokenizer
        self.vision_tower = MODELS.build(vision_tower) if isinstance(vision_tower, dict) else vision_tower
        self.language_model = LanguageModel(words.vocab_size, words.pad_id, **language_model)
        self.projector = ImageTokens(self.vision_tower.embed_dims, self.language_model.embed_dims, **(projector or {}))
        longest = dict(max_new_tokens=self.language_model.max_positions)
        self.search = BeamSettings(**{**RELEASED_SEARCH, **longest, **(search or {})})
        require_room(self.search, self.language_model.max_positions)
        self.attends_to_padding = attends_to_padding
        if smooth_locations:
            smooth_rows_(self.language_model.token_embedding.weight, words.location_ids())
        if lora is not None:
            add_lora(self, **lora)
        if trained_tokens is not None:
            self.language_model.train_tokens(rows_of(trained_tokens, words))
        self.register_load_state_dict_pre_hook(_prepare_weights)

    def forward(self, inputs: Tensor, data_samples: list[ImageTextSample] | None = None, mode: str = 'tensor'):
        """Dispatch to `loss`, `predict` or `encode_images`.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`, or clips of T frames, `(B, T, 3, H, W)`.
            data_samples: One sample an image; not needed for mode 'tensor'.
            mode: 'loss', 'predict' or 'tensor'.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.encode_images(inputs)
        raise ValueError(f"Florence2: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def encode_images(self, inputs: Tensor) -> Tensor:
        """Image tokens, `(B, N_i, D)`; encoded once, they serve any number of prompts.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`, or clips, `(B, T, 3, H, W)`.
        """
        frames = inputs if inputs.dim() == 5 else inputs[:, None]
        maps = self.vision_tower(frames.flatten(0, 1))[-1]
        return self.projector(maps.unflatten(0, frames.shape[:2]))  # (B T, C, H', W') -> (B, T, C, H', W')

    def loss(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """Mean cross-entropy of all tokens of the targets, and the share of right guesses for the log.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: With `prompt` and `target`; of several about an image, which is encoded once, tuples.

        Raises:
            ValueError: If a prompt or target is missing or longer than the positions.
        """
        prompts, counts = _each(data_samples, 'prompt')
        texts, num_texts = _each(data_samples, 'target')
        names = _repeated(_names(data_samples), counts)
        if counts != num_texts:
            wrong = next(name for name, *pair in zip(_names(data_samples), counts, num_texts) if pair[0] != pair[1])
            raise ValueError(f'sample {wrong!r} has not as many targets as prompts: check the pipeline.')
        input_ids, targets = self.training_tokens(texts, names)
        memory, mask = self.encode(_for_each_prompt(self.encode_images(inputs), counts), prompts, names)
        hidden = self.language_model.decode(input_ids.to(memory.device), memory, mask)
        keep = (targets >= 0).to(memory.device)
        targets = targets[targets >= 0].to(memory.device)
        loss, accuracy = token_cross_entropy(hidden[keep], self.language_model.token_weight(), targets)
        return {'loss_text': loss, 'token_accuracy': accuracy}

    def training_tokens(self, texts: list[str], names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What the decoder reads, the end token first, and what follows on each token, -1 where nothing does; `(B, L)` each.

        Raises:
            ValueError: If a target is longer than the tokenizer or the decoder allows.
        """
        words = self.tokenizer.tokenizer
        encoded = words.encode_targets(texts, names)
        lengths = encoded['attention_mask'].sum(1)
        advice = 'cap its regions or their points, or use a model with more positions'
        require_positions(self.language_model.max_positions, lengths, names, 'the target', advice)
        targets = encoded['input_ids'].masked_fill(encoded['attention_mask'] == 0, -1)
        input_ids = torch.cat([torch.full_like(targets[:, :1], words.eot_id), encoded['input_ids'][:, :-1]], 1)
        return input_ids, targets

    def encode(self, image_tokens: Tensor, prompts: list[str], names: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Hidden states of images with prompts, `(B, N, D)`, and their mask: see `Answering.encode`."""
        return self.answering.encode(image_tokens, prompts, names)

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """The samples, with `prompt`, get the fields `pred_*` that `ImageTextSample` describes, one entry a prompt."""
        prompts, counts = _each(data_samples, 'prompt')
        names = _repeated(_names(data_samples), counts)
        found = self.generate(_for_each_prompt(self.encode_images(inputs), counts), prompts, names=names) if prompts else []
        answers = iter([best for best, *_ in found])
        for sample, count in zip(data_samples, counts, strict=True):
            own = [next(answers) for _ in range(count)]
            decoded = [self.tokenizer.tokenizer.decode_with_spans(answer.tokens) for answer in own]
            sample.pred_texts = tuple(text for text, _ in decoded)
            sample.pred_spans = tuple(tuple(spans) for _, spans in decoded)
            sample.pred_tokens = tuple(answer.tokens for answer in own)
            sample.pred_log_probs = tuple(answer.log_probs[: len(answer.tokens)] for answer in own)
            sample.pred_scores = tuple(answer.score for answer in own)
        return data_samples

    @torch.no_grad()
    def generate(
        self,
        image_tokens: Tensor,
        prompts: list[str],
        search: BeamSettings | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """Answers to prompts, the best first; their tokens begin with the start token.

        Args:
            image_tokens: As `encode_images` gives them, one for each prompt, or one for all, `(B, N_i, D)` or `(1, N_i, D)`.
            prompts: What is asked.
            search: None: that of the model.
            names: Name of each sample, for errors; None: their numbers.

        Raises:
            ValueError: If numbers of images and prompts differ, or what is read or asked for is longer than the positions.
        """
        return self.answering.generate(image_tokens, prompts, search or self.search, names)

    @property
    def answering(self) -> Answering:
        """What answers prompts, with this model's layers."""
        language_model = self.language_model
        return Answering(self.tokenizer.tokenizer, language_model, partial(TextDecoding, language_model), self.attends_to_padding)


def _prepare_weights(model: Florence2, weights: dict[str, Tensor], prefix: str, *_: object) -> None:
    require_same_adapters(model, weights, prefix)
    num_new = len(model.tokenizer.tokenizer.new_tokens)
    extend_table(weights, f'{prefix}language_model.model.shared.weight', model.language_model.token_weight(), num_new)


def _each(samples: list[ImageTextSample], field: str) -> tuple[list[str], list[int]]:
    """The texts of all samples one after the other, and how many each sample has."""
    own = [(value,) if isinstance(value, str) else tuple(value) for value in _field(samples, field)]
    return [text for texts in own for text in texts], [len(texts) for texts in own]


def _repeated(names: list[str], counts: list[int]) -> list[str]:
    return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]


def _for_each_prompt(image_tokens: Tensor, counts: list[int]) -> Tensor:
    """`(B, N_i, D)` to `(sum of counts, N_i, D)`."""
    if all(count == 1 for count in counts):
        return image_tokens
    return image_tokens.repeat_interleave(torch.tensor(counts, device=image_tokens.device), 0, output_size=sum(counts))


def _field(samples: list[ImageTextSample], field: str) -> list[str]:
    missing = [name for name, sample in zip(_names(samples), samples, strict=True) if field not in sample]
    if missing:
        raise ValueError(f'{len(missing)} samples have no {field}, e.g. {missing[0]!r}: check the pipeline.')
    return [sample.get(field) for sample in samples]


def _names(samples: list[ImageTextSample]) -> list[str]:
    return [str(sample.get('sample_id', number)) for number, sample in enumerate(samples)]
