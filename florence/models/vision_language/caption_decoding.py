"""A caption decoder in the middle of its captions: each token passes once, the images' keys and values are made once.

Cross-attention treats the beams of an image as further queries to the same keys and values, which are never copied per beam.

Axes: B images, K beams, T new tokens, L_i image tokens, D width, H heads, d width of a head, V vocabulary.
"""

from torch import Tensor

from florence.models.seq2seq import BeamCache
from florence.models.vision_language.caption_decoder import CaptionDecoder


class CaptionDecoding:
    """A `florence.models.seq2seq.StepDecoder` over a `CaptionDecoder`.

    Args:
        decoder: In evaluation mode.
        image_stream: As `florence.models.vision_language.image_stream` gives it, `(B, L_i, D)` each.
    """

    def __init__(self, decoder: CaptionDecoder, image_stream: list[Tensor]) -> None:
        self.decoder = decoder
        self.cache = BeamCache(len(decoder.layers))
        self.images = [
            layer.cross_attn.keys_values(image) for layer, image in zip(decoder.layers, image_stream, strict=True)
        ]  # (B, H, L_i, d) each

    def step(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, `(B, K, V)`, after `(B, K, T)`."""
        num_beams, num_new = tokens.shape[1:]
        x = self.decoder.embedding(tokens.flatten(0, 1), self.cache.length)  # (B K, T, D)
        x = x.view(len(tokens), num_beams * num_new, -1)  # (B, K T, D)
        self.cache.begin(x, num_beams)
        for number, (layer, image) in enumerate(zip(self.decoder.layers, self.images, strict=True)):
            own = self.cache.append(number, *layer.self_attn.keys_values(x))
            x = layer.attend_self(x, own, self.cache.mask)
            x = layer.transform(layer.attend_cross(x, image))
        return self.decoder.logits(x[:, num_new - 1 :: num_new])  # the last token of each beam

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams `(B', K')` of these images `(B',)`, None = all."""
        self.cache.keep(items, beams)
        if items is not None:
            self.images = [(keys[items], values[items]) for keys, values in self.images]
