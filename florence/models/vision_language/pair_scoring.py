"""Features of many image-text pairs from tokens that were encoded once; nothing of an item alone is computed for each pair.

METER's retrieval protocol (arXiv 2111.02387, section 4.1) runs both encoders for every pair. What an image or a text contributes
alone is the same in all of its pairs: its tokens, in the first layer of the co-attention also its self-attention and the keys and
values that the other stream attends to. And of the last layer of the text stream only the first token is read. The features equal
those of `METEREncoder.pool(METEREncoder.fuse(...))` but for the order of sums. Merged attention mixes the two from the start:
there only the tokens are shared.

Axes: T texts, N images, P pairs, L tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from florence.models.fusion.fusion_layer import FusionLayer, KeysValues
from florence.models.vision_language.meter_encoder import METEREncoder


@dataclass(frozen=True)
class PreparedItems:
    """Images or texts, ready to be paired.

    Attributes:
        tokens: `(N, L, D)`; for co-attention after the self-attention of the first layer.
        mask: `(N, L)` bool, True = keep; None keeps all.
        keys_values: What the other stream attends to in its first layer; None for merged attention.
    """

    tokens: Tensor
    mask: Tensor | None
    keys_values: KeysValues | None

    def __getitem__(self, index: Tensor) -> 'PreparedItems':
        """Those items, in that order, `(P,)`."""
        mask = None if self.mask is None else self.mask[index]
        pairs = None if self.keys_values is None else (self.keys_values[0][index], self.keys_values[1][index])
        return PreparedItems(self.tokens[index], mask, pairs)


class PairScorer:
    """Prepares items and computes features of their pairs; for inference, no dropout is applied.

    Args:
        encoder: Encoders and fusion, in evaluation mode.
    """

    def __init__(self, encoder: METEREncoder) -> None:
        self.encoder = encoder
        self.fusion: Any = encoder.fusion
        self.co_attention: bool = self.fusion.mode == 'co_attention'

    def prepare_images(self, tokens: Tensor) -> PreparedItems:
        """Image tokens, as `METEREncoder.encode_image` gives them, ready for pairing.

        Args:
            tokens: `(N, L_i, D)` of any float type, on any device.
        """
        tokens = tokens.to(self.encoder.token_types.weight)
        if not self.co_attention:
            return PreparedItems(tokens, None, None)
        own, other = self.fusion.image_layers[0], self.fusion.text_layers[0]
        return PreparedItems(_attended(own, tokens, None), None, other.cross_attn.keys_values(tokens))

    def prepare_texts(self, tokens: Sequence[Tensor]) -> PreparedItems:
        """Text tokens, as `METEREncoder.encode_text` gives them but without padding, ready for pairing.

        Args:
            tokens: T texts, `(L, D)` each, of any float type, on any device.
        """
        lengths = torch.tensor([len(text) for text in tokens])
        padded = pad_sequence(list(tokens), batch_first=True).to(self.encoder.token_types.weight)  # (T, L_t, D)
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).to(padded.device)
        if not self.co_attention:
            return PreparedItems(padded, mask, None)
        own, other = self.fusion.text_layers[0], self.fusion.image_layers[0]
        return PreparedItems(_attended(own, padded, mask), mask, other.cross_attn.keys_values(padded))

    def features(self, texts: PreparedItems, images: PreparedItems) -> Tensor:
        """Pooled feature of each pair, `(P, 2 D)`.

        Args:
            texts, images: P items each.
        """
        if not self.co_attention:
            assert texts.mask is not None
            return self.encoder.pool(*self.encoder.fuse(texts.tokens, images.tokens, texts.mask))
        return self.encoder.pool(*self._co_attention(texts, images))

    def _co_attention(self, texts: PreparedItems, images: PreparedItems) -> tuple[Tensor, Tensor]:
        """First text token `(P, 1, D)` and all image tokens `(P, L_i, D)` after the fusion."""
        layers = list(zip(self.fusion.text_layers, self.fusion.image_layers, strict=True))
        assert texts.mask is not None and texts.keys_values is not None and images.keys_values is not None
        keep = texts.mask[:, None, None, :]  # (P, 1, 1, L_t)
        text, image = texts.tokens[:, :1] if len(layers) == 1 else texts.tokens, images.tokens
        text_layer, image_layer = layers[0]
        text = text_layer.transform(text_layer.attend_cross(text, images.keys_values))
        image = image_layer.transform(image_layer.attend_cross(image, texts.keys_values, keep))
        for text_layer, image_layer in layers[1:-1]:
            text, image = text_layer(text, image, keep), image_layer(image, text, None, keep)
        if len(layers) > 1:
            text_layer, image_layer = layers[-1]
            first = text_layer.attend_self(text[:, :1], text_layer.self_attn.keys_values(text), keep)
            first = text_layer.transform(text_layer.attend_cross(first, text_layer.cross_attn.keys_values(image)))
            text, image = first, image_layer(image, text, None, keep)
        return text, image


def _attended(layer: FusionLayer, tokens: Tensor, mask: Tensor | None) -> Tensor:
    keep = None if mask is None else mask[:, None, None, :]
    return layer.attend_self(tokens, layer.self_attn.keys_values(tokens), keep)


def score_candidates(
    scorer: PairScorer,
    score: nn.Module,
    images: Tensor,
    texts: Sequence[Tensor],
    candidates: Sequence[Tensor | None],
    *,
    pair_batch: int,
) -> list[Tensor]:
    """Scores of images with the texts that each is compared with; pairs of texts of like length go together.

    Args:
        scorer: Prepares items and makes features of pairs.
        score: Features `(P, 2 D)` to scores `(P, 1)`.
        images: Image tokens, `(N, L_i, D)`.
        texts: Tokens of all texts, `(L, D)` each.
        candidates: For each image indices of texts, int64; None = all.
        pair_batch: Pairs that pass the fusion at once.

    Returns:
        For each image the scores of its candidates, fp32 on the CPU.
    """
    every = torch.arange(len(texts))
    chosen = [every if own is None else own for own in candidates]
    counts = [len(own) for own in chosen]
    text_index = torch.cat(chosen)
    image_index = torch.arange(len(images)).repeat_interleave(torch.tensor(counts))
    lengths = torch.tensor([len(text) for text in texts])
    # Within a length by text, so that a batch prepares few texts.
    order = (lengths[text_index] * len(texts) + text_index).argsort(stable=True)
    prepared = scorer.prepare_images(images)
    device = prepared.tokens.device
    scores = torch.empty(len(order))
    for batch in order.split(pair_batch) if len(order) else ():
        distinct, position = text_index[batch].unique(return_inverse=True)
        own_texts = scorer.prepare_texts([texts[index] for index in distinct.tolist()])
        features = scorer.features(own_texts[position.to(device)], prepared[image_index[batch].to(device)])
        scores[batch] = score(features).float().flatten().cpu()
    return list(scores.split(counts))
