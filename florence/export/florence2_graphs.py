"""Florence-2 in four graphs, cut as the exports of the community are: image tokens, embeddings of tokens, encoder, decoder.

The encoder hands out the keys and values that each layer of the decoder takes of image and prompt, so that they are made once.
The decoder does one step: new tokens with the keys and values of those before them, which at first are none. The rows of an item
may be its beams: a mask says which tokens are the past of which row (`florence.models.seq2seq.BeamPast`), and what beams share is
stored once.

Axes: B items, N tokens of image and prompt, L tokens, R new tokens of all beams of an item, S tokens before them, H heads, d
width of a head, D width, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.models.florence2 import Florence2
from florence.models.florence2.language_model import LanguageModel, broadcast
from florence.models.florence2.text_decoding import TextDecoding, pass_layers


class Sizes(NamedTuple):
    """Lengths of the axes of example inputs."""

    items: int
    tokens: int
    rows: int
    past: int


@dataclass(frozen=True)
class Graph:
    """What one file holds.

    Args:
        module: Computes it.
        inputs, outputs: Names of the flattened arguments and results.
        example: Random arguments of given sizes.
        axes: For each flattened argument the names of its axes whose length may vary; a name of None stands for one that follows
            from others.
    """

    module: nn.Module
    inputs: list[str]
    outputs: list[str]
    example: Callable[[Sizes], tuple[Any, ...]]
    axes: list[dict[int, str | None]]


class ImageGraph(nn.Module):
    """Normalised images `(B, 3, height, width)` to image tokens `(B, N_i, D)`."""

    def __init__(self, model: Florence2) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.model.encode_images(pixel_values)


class EmbeddingGraph(nn.Module):
    """Tokens `(B, L)` to embeddings `(B, L, D)`."""

    def __init__(self, model: Florence2) -> None:
        super().__init__()
        self.embedding = model.language_model.token_embedding

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.embedding(input_ids)


class EncoderGraph(nn.Module):
    """Image tokens with an embedded prompt `(B, N, D)` and their mask `(B, N)` bool, True = keep, to the hidden states
    `(B, N, D)` and the keys and values of each layer of the decoder, `(B, H, N, d)` each.
    """

    def __init__(self, language_model: LanguageModel) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> list[Tensor]:
        memory = self.language_model.encode(inputs_embeds, attention_mask)
        return [memory, *_flat(TextDecoding(self.language_model, memory, None).memories)]


class DecoderGraph(nn.Module):
    """Embeddings of new tokens `(B, R, D)` with their positions `(R,)` to logits of what follows each `(B, R, V)`, and the keys
    and values of all tokens so far, `(B, H, S + R, d)` of each layer.

    The mask `(B, R, S + R)` bool, True = attend, says what each new token sees. `past` and `memory` are flat lists of keys and
    values: of the tokens before, `(B, H, S, d)`, and of image and prompt, `(B, H, N, d)`, these under a mask `(B, N)`.
    """

    def __init__(self, language_model: LanguageModel) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(
        self,
        inputs_embeds: Tensor,
        position_ids: Tensor,
        attention_mask: Tensor,
        encoder_attention_mask: Tensor,
        past: list[Tensor],
        memory: list[Tensor],
    ) -> list[Tensor]:
        decoder = self.language_model.model.decoder
        positions = F.embedding(position_ids + decoder.embed_positions.offset, decoder.embed_positions.weight)
        x = decoder.layernorm_embedding(inputs_embeds + positions)
        cache = _GivenPast(_pairs(past), attention_mask[:, None])
        x = pass_layers(decoder, x, cache, _pairs(memory), broadcast(encoder_attention_mask))
        return [self.language_model.logits(x), *_flat(cache.present)]


class _GivenPast:
    """Keys and values that come as arguments and leave as results."""

    def __init__(self, past: list[tuple[Tensor, Tensor]], mask: Tensor) -> None:
        self.past, self.mask = past, mask
        self.present: list[tuple[Tensor, Tensor]] = []

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        past_keys, past_values = self.past[layer]
        self.present.append((torch.cat([past_keys, keys], 2), torch.cat([past_values, values], 2)))
        return self.present[-1]


def florence2_graphs(model: Florence2, image_size: tuple[int, int]) -> dict[str, Graph]:
    """The graphs by name.

    Args:
        model: In evaluation mode, on the CPU.
        image_size: Height and width; windows and positions of the tower depend on them, so that they are fixed.
    """
    layers = model.language_model.model.decoder.layers
    heads, width, embed_dims = layers[0].self_attn.num_heads, layers[0].self_attn.head_dim, model.language_model.embed_dims
    vocab_size = model.tokenizer.tokenizer.vocab_size

    def embeds(items: int, length: int) -> Tensor:
        return torch.randn(items, length, embed_dims)

    def mask(sizes: Sizes) -> Tensor:
        lengths = sizes.tokens - torch.arange(sizes.items) % sizes.tokens
        return torch.arange(sizes.tokens) < lengths[:, None]  # an item of every length, one without padding

    def keys_values(sizes: Sizes, length: int) -> list[Tensor]:
        return [torch.randn(sizes.items, heads, length, width) for _ in range(2 * len(layers))]

    def step(sizes: Sizes) -> tuple[Any, ...]:
        seen = torch.rand(sizes.items, sizes.rows, sizes.past + sizes.rows) < 0.7
        seen[:, :, sizes.past :] |= torch.eye(sizes.rows, dtype=torch.bool)
        positions = torch.arange(sizes.past, sizes.past + sizes.rows)
        own, memory = keys_values(sizes, sizes.past), keys_values(sizes, sizes.tokens)
        return embeds(sizes.items, sizes.rows), positions, seen, mask(sizes), own, memory

    return {
        'vision_encoder': Graph(
            ImageGraph(model),
            ['pixel_values'],
            ['image_features'],
            lambda sizes: (torch.randn(sizes.items, 3, *image_size),),
            [{0: 'batch'}],
        ),
        'embed_tokens': Graph(
            EmbeddingGraph(model),
            ['input_ids'],
            ['inputs_embeds'],
            lambda sizes: (torch.randint(vocab_size, (sizes.items, sizes.tokens)),),
            [{0: 'batch', 1: 'tokens'}],
        ),
        'encoder_model': Graph(
            EncoderGraph(model.language_model),
            ['inputs_embeds', 'attention_mask'],
            ['last_hidden_state', *_names('present', 'encoder', len(layers))],
            lambda sizes: (embeds(sizes.items, sizes.tokens), mask(sizes)),
            2 * [{0: 'batch', 1: 'tokens'}],
        ),
        'decoder_model': Graph(
            DecoderGraph(model.language_model),
            [
                *('inputs_embeds', 'position_ids', 'attention_mask', 'encoder_attention_mask'),
                *_names('past_key_values', 'decoder', len(layers)),
                *_names('past_key_values', 'encoder', len(layers)),
            ],
            ['logits', *_names('present', 'decoder', len(layers))],
            step,
            [
                {0: 'batch', 1: 'rows'},
                {0: 'rows'},
                {0: 'batch', 1: 'rows', 2: None},
                {0: 'batch', 1: 'tokens'},
                *(2 * len(layers) * [{0: 'batch', 2: 'past'}]),
                *(2 * len(layers) * [{0: 'batch', 2: 'tokens'}]),
            ],
        ),
    }


def _names(prefix: str, side: str, num_layers: int) -> list[str]:
    return [f'{prefix}.{layer}.{side}.{kind}' for layer in range(num_layers) for kind in ('key', 'value')]


def _pairs(flat: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _flat(pairs: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    return [part for pair in pairs for part in pair]
