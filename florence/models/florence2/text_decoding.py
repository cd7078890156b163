"""Florence-2's decoder in the middle of its answers: each token passes once, keys and values of image and prompt are made once.

The beams of an item are further queries to the same keys and values: those of image and prompt are never copied per beam, and
those of the answers are never reordered (`BeamCache`).

Axes: B items, K beams, T new tokens, N tokens of image and prompt, D width, H heads, d width of a head, V vocabulary.
"""

from collections.abc import Sequence
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.linear import linear
from florence.models.florence2.language_model import LanguageModel, broadcast
from florence.models.seq2seq import BeamCache


class KeyCache(Protocol):
    """Keys and values of the tokens so far; `mask` as for `scaled_dot_product_attention`."""

    mask: Tensor | None

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of new tokens, `(B, H, K T, d)`; those of all tokens."""


class TextDecoding:
    """A `florence.models.seq2seq.StepDecoder` over a `LanguageModel`.

    Args:
        language_model: In evaluation mode.
        memory: Hidden states of image and prompt, `(B, N, D)`.
        memory_mask: `(B, N)` bool, True = keep; None = everything.
    """

    def __init__(self, language_model: LanguageModel, memory: Tensor, memory_mask: Tensor | None) -> None:
        self.language_model, self.decoder = language_model, language_model.model.decoder
        self.token_weight = language_model.token_weight()
        self.cache = BeamCache(len(self.decoder.layers))
        self.memory_mask = broadcast(memory_mask)
        # Every step reads them: contiguous ones are a quarter faster to attend to.
        self.memories = [
            tuple(_heads(attention, proj(memory)).contiguous() for proj in (attention.k_proj, attention.v_proj))
            for attention in (layer.encoder_attn for layer in self.decoder.layers)
        ]  # 2 x (B, H, N, d) each

    def step(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, `(B, K, V)`, after `(B, K, T)`."""
        num_beams, num_new = tokens.shape[1:]
        first = self.decoder.embed_positions.offset + self.cache.length
        x = self.language_model.token_embedding(tokens) + self.decoder.embed_positions.weight[first : first + num_new]
        x = self.decoder.layernorm_embedding(x).flatten(1, 2)  # (B, K, T, D) -> (B, K T, D)
        self.cache.begin(x, num_beams)
        x = pass_layers(self.decoder, x, self.cache, self.memories, self.memory_mask)
        return linear(x[:, num_new - 1 :: num_new], self.token_weight)  # the last token of each beam

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams `(B', K')` of these items `(B',)`, None = all."""
        self.cache.keep(items, beams)
        if items is not None:
            self.memories = [(keys[items], values[items]) for keys, values in self.memories]
            self.memory_mask = None if self.memory_mask is None else self.memory_mask[items]


def pass_layers(
    decoder: nn.Module, x: Tensor, cache: KeyCache, memories: Sequence[tuple[Tensor, Tensor]], memory_mask: Tensor | None
) -> Tensor:
    """New tokens through all layers of a decoder, `(B, K T, D)` to the same shape.

    Args:
        decoder: Of a `LanguageModel`.
        x: Embedded and normalised.
        cache: Takes the keys and values of the new tokens.
        memories: Keys and values of image and prompt for each layer, `(B, H, N, d)`.
        memory_mask: `(B, 1, 1, N)` bool, True = keep; None = everything.
    """
    for number, (layer, memory) in enumerate(zip(decoder.layers, memories, strict=True)):
        own = layer.self_attn
        past = cache.append(number, _heads(own, own.k_proj(x)), _heads(own, own.v_proj(x)))
        x = layer.self_attn_layer_norm(x + _attend(own, x, *past, cache.mask))
        x = layer.encoder_attn_layer_norm(x + _attend(layer.encoder_attn, x, *memory, memory_mask))
        x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
    return x


def _attend(attention: nn.Module, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    queries = _heads(attention, attention.q_proj(x))
    x = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    return attention.out_proj(x.transpose(1, 2).flatten(2))  # (B, H, L, d) -> (B, L, D)


def _heads(attention: nn.Module, x: Tensor) -> Tensor:
    return x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)  # (B, L, D) -> (B, H, L, d)
