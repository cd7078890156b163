"""Answers of an exported Florence-2: onnxruntime computes, the search is that of the model in PyTorch.

Axes: B items, K beams, T new tokens of a beam, N tokens of image and prompt, D width.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from florence.export.florence2_export import FACTS, FORMAT, VOCABULARY
from florence.export.graph_session import GraphSession
from florence.models.data_preprocessors import ImageTextPreprocessor
from florence.models.florence2.answering import Answering
from florence.models.language import Florence2Tokenizer, TokenizerModule
from florence.models.seq2seq import BeamPast, BeamSettings, Hypothesis
from florence.tasks.json_files import read_json_object


class Florence2Onnx:
    """An exported model, used as a `Florence2` is: `encode_images` once, then `generate` for any number of prompts.

    Args:
        folder: As `florence.export.florence2_export.export_florence2` writes it.

    Attributes:
        image_size: Height and width of its images.
        keep_ratio: Whether images are padded to that size, not stretched.
        answering: As of a `Florence2`.

    Raises:
        ImportError: If onnxruntime is not installed.
        FileNotFoundError: If a file is missing.
        ValueError: If the folder is of another version, or its files do not belong together.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        folder = Path(folder)
        facts = _read_facts(folder)
        self.image_size, self.keep_ratio = tuple(facts['image_size']), facts['keep_ratio']
        self.tokenizer = TokenizerModule(_tokenizer(folder, facts))
        self.data_preprocessor = ImageTextPreprocessor(facts['mean'], facts['std'], channels_last=False)
        self.search = BeamSettings(**facts['search'])
        graphs = {name: GraphSession(folder / file) for name, file in facts['graphs'].items()}
        self._vision = graphs.pop('vision_encoder')
        self.language_model = GraphLanguageModel(**graphs, max_positions=facts['max_positions'])
        self.answering = Answering(
            self.tokenizer.tokenizer, self.language_model, self.language_model.decoding, facts['attends_to_padding']
        )

    def encode_images(self, inputs: Tensor) -> Tensor:
        """Image tokens, `(B, N_i, D)`, of normalised images `(B, 3, H, W)`.

        Raises:
            ValueError: If the images have another size than the graph.
        """
        if inputs.dim() != 4 or tuple(inputs.shape[2:]) != self.image_size:
            raise ValueError(
                f'this model was exported for images (B, 3, {", ".join(map(str, self.image_size))}), got {tuple(inputs.shape)}: '
                'resize them, or export it for this size.'
            )
        return self._vision(inputs)[0]

    def generate(
        self,
        image_tokens: Tensor,
        prompts: list[str],
        search: BeamSettings | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> list[list[Hypothesis]]:
        """As `Florence2.generate`."""
        return self.answering.generate(image_tokens, prompts, search or self.search, names)


class GraphLanguageModel:
    """The three graphs of the language model.

    Args:
        embed_tokens, encoder_model, decoder_model: The graphs.
        max_positions: Longest sequence of image tokens and prompt, and longest answer.
    """

    def __init__(
        self, embed_tokens: GraphSession, encoder_model: GraphSession, decoder_model: GraphSession, max_positions: int
    ) -> None:
        self.embed_tokens, self.encoder_model, self.decoder_model = embed_tokens, encoder_model, decoder_model
        self.max_positions = max_positions

    def token_embedding(self, input_ids: Tensor) -> Tensor:
        """`(B, L)` to `(B, L, D)`."""
        return self.embed_tokens(input_ids)[0]

    def encode(self, embeds: Tensor, mask: Tensor | None) -> list[Tensor]:
        """Keys and values of image and prompt for each layer of the decoder, `(B, H, N, d)` each.

        Args:
            embeds: `(B, N, D)`.
            mask: `(B, N)` bool, True = keep; None = everything.
        """
        return self.encoder_model(embeds, _whole(mask, embeds))[1:]

    def decoding(self, memory: list[Tensor], mask: Tensor | None) -> 'GraphDecoding':
        """A decoder that begins, of what `encode` gave and its mask."""
        return GraphDecoding(self, memory, _whole(mask, memory[0].transpose(1, 2)))


class GraphDecoding:
    """A `florence.models.seq2seq.StepDecoder` over a `GraphLanguageModel`.

    Args:
        language_model: Has the graphs.
        memory: As `GraphLanguageModel.encode` returns it.
        memory_mask: `(B, N)` bool, True = keep.
    """

    def __init__(self, language_model: GraphLanguageModel, memory: list[Tensor], memory_mask: Tensor) -> None:
        self.language_model, self.memory, self.memory_mask = language_model, memory, memory_mask
        self.past = BeamPast()
        self.own = [keys[:, :, :0] for keys in memory]  # (B, H, S, d) each, of the answers

    def step(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, `(B, K, V)`, after `(B, K, T)`."""
        items, num_beams, num_new = tokens.shape
        positions = torch.arange(num_new).repeat(num_beams) + self.past.length
        visible = self.past.begin(items, num_beams * num_new, num_beams)
        embeds = self.language_model.token_embedding(tokens.flatten(1))
        logits, *self.own = self.language_model.decoder_model(
            embeds, positions, visible, self.memory_mask, *self.own, *self.memory
        )
        return logits[:, num_new - 1 :: num_new]  # of the last token of each beam

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams `(B', K')` of these items `(B',)`, None = all."""
        self.past.keep(items, beams)
        if items is not None:
            self.own, self.memory = [part[items] for part in self.own], [part[items] for part in self.memory]
            self.memory_mask = self.memory_mask[items]


def _whole(mask: Tensor | None, like: Tensor) -> Tensor:
    return torch.ones(like.shape[:2], dtype=torch.bool) if mask is None else mask


def _read_facts(folder: Path) -> dict[str, Any]:
    if not (folder / FACTS).is_file():
        raise FileNotFoundError(
            f'no exported Florence-2 at {folder}, it has no {FACTS}: make it with tools/model_converters/florence2_to_onnx.py.'
        )
    facts = read_json_object(folder / FACTS, 'format')
    if facts['format'] != FORMAT:
        raise ValueError(f'{folder / FACTS} has format {facts["format"]!r}, expected {FORMAT}: export the model again.')
    return facts


def _tokenizer(folder: Path, facts: dict[str, Any]) -> Florence2Tokenizer:
    state = read_json_object(folder / VOCABULARY, 'vocab_size', 'trained')
    words = Florence2Tokenizer('trained', facts['max_positions'], state['vocab_size'], state.get('new_tokens', ()))
    words.load_state(state)
    if words.vocabulary_hash() != facts['vocabulary']:
        raise ValueError(f'{folder / VOCABULARY} is not the vocabulary of this model: copy the whole folder again.')
    return words
