"""A caption decoder in the middle of its captions: each token passes once, the images' keys and values are made once.

Cross-attention treats the beams of an image as further queries to the same keys and values, which are never copied per beam.

Axes: B images, K beams, T new tokens, L_i image tokens, D width, H heads, d width of a head, V vocabulary.
"""

import torch
from torch import Tensor

from florence.models.seq2seq import KeyValueCache
from florence.models.vision_language.caption_decoder import CaptionDecoder, causal_mask


class CaptionDecoding:
    """A `florence.models.seq2seq.StepDecoder` over a `CaptionDecoder`.

    Args:
        decoder: In evaluation mode.
        image_stream: As `florence.models.vision_language.image_stream` gives it, `(B, L_i, D)` each.
        max_tokens: Longest text, prompt included.
    """

    def __init__(self, decoder: CaptionDecoder, image_stream: list[Tensor], max_tokens: int) -> None:
        self.decoder = decoder
        self.cache = KeyValueCache(len(decoder.layers), max_tokens)
        self.num_beams = 1
        self.images = [
            layer.cross_attn.keys_values(image) for layer, image in zip(decoder.layers, image_stream, strict=True)
        ]  # (B, H, L_i, d) each

    def step(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, `(B, K, V)`, after `(B, K, T)`."""
        num_images, num_beams, num_new = tokens.shape
        x = self.decoder.embedding(tokens.flatten(0, 1), self.cache.length)  # (B K, T, D)
        # Several tokens come only as a prompt, before which there is nothing.
        assert num_new == 1 or self.cache.length == 0
        mask = causal_mask(num_new, x.device) if num_new > 1 else None
        for number, (layer, image) in enumerate(zip(self.decoder.layers, self.images, strict=True)):
            own = self.cache.append(number, *layer.self_attn.keys_values(x))
            x = layer.attend_self(x, own, mask)
            x = x.view(num_images, num_beams * num_new, -1)  # (B K, T, D) -> (B, K T, D)
            x = layer.transform(layer.attend_cross(x, image)).view(num_images * num_beams, num_new, -1)
        return self.decoder.logits(x[:, -1]).view(num_images, num_beams, -1)  # (B K, V) -> (B, K, V)

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams `(B', K')` of these images `(B',)`, None = all."""
        owners = torch.arange(len(beams), device=beams.device) if items is None else items
        self.cache.reorder((owners[:, None] * self.num_beams + beams).flatten())
        self.num_beams = beams.shape[1]
        if items is not None:
            self.images = [(keys[items], values[items]) for keys, values in self.images]
