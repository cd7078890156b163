"""CaptionDecoder and CaptionDecoding: causality, and cached decoding equal to the uncached one."""

import pytest
import torch
from tiny_captioner import ROBERTA, TRANSFORMER, tiny_captioner
from torch import Tensor

from florence.models.seq2seq import BeamSettings, beam_search
from florence.models.vision_language.caption_decoding import CaptionDecoding
from florence.models.vision_language.image_stream import image_stream

END = 2
modes = pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])


class Uncached:
    """The decoder over whole prefixes, with image tokens repeated for each beam."""

    def __init__(self, decoder, stream):
        self.decoder, self.stream, self.tokens = decoder, stream, None

    def step(self, tokens: Tensor) -> Tensor:
        self.tokens = tokens if self.tokens is None else torch.cat([self.tokens, tokens], 2)
        num_images, num_beams, _ = self.tokens.shape
        stream = [image.repeat_interleave(num_beams, 0) for image in self.stream]
        hidden = self.decoder(self.tokens.flatten(0, 1), stream)
        return self.decoder.logits(hidden[:, -1]).view(num_images, num_beams, -1)

    def keep(self, items, beams):
        if items is not None:
            self.tokens, self.stream = self.tokens[items], [image[items] for image in self.stream]
        self.tokens = self.tokens.gather(1, beams[..., None].expand(-1, -1, self.tokens.shape[2]))


class EndingInTurn:
    """Around a decoder: the caption of image i ends after 3 + i tokens, so that images leave one after the other."""

    def __init__(self, inner, num_images: int) -> None:
        self.inner, self.lengths, self.num_steps = inner, 3 + torch.arange(num_images), 0

    def step(self, tokens: Tensor) -> Tensor:
        logits = self.inner.step(tokens)
        logits[..., END] = torch.where(self.lengths == self.num_steps, 30.0, -30.0)[:, None]
        self.num_steps += 1
        return logits

    def keep(self, items, beams):
        self.lengths = self.lengths if items is None else self.lengths[items]
        self.inner.keep(items, beams)


@torch.no_grad()
def decoder_and_stream(num_images=8, **options):
    model = tiny_captioner(**options)
    for layer in model.head.decoder.layers:
        layer.cross_attn.proj.weight.mul_(4)  # else images hardly matter to random weights
    return model.head.decoder, image_stream(model.encoder.fusion, torch.randn(num_images, 6, 32))


@modes
@torch.no_grad()
def test_no_token_sees_one_to_come(mode):
    decoder, stream = decoder_and_stream(mode=mode)
    tokens = torch.randint(3, 300, (8, 9))
    logits = decoder.logits(decoder(tokens, stream))
    for place in range(1, 9):
        changed = tokens.clone()
        changed[:, place:] = torch.randint(3, 300, (8, 9 - place))
        after = decoder.logits(decoder(changed, stream))
        assert torch.equal(after[:, :place], logits[:, :place])
        assert not torch.equal(after[:, place], logits[:, place])


@torch.no_grad()
def test_every_token_sees_those_before_it_and_the_image():
    decoder, stream = decoder_and_stream()
    tokens = torch.randint(3, 300, (8, 6))
    logits = decoder.logits(decoder(tokens, stream))
    changed = tokens.clone()
    changed[:, 0] = (tokens[:, 0] - 3 + 1) % 297 + 3
    assert ((decoder.logits(decoder(changed, stream)) - logits).abs().amax(2) > 1e-4).all()
    for step in range(3):  # each layer attends to its own step of the stream
        other = [image.roll(1, 0) if number == step else image for number, image in enumerate(stream)]
        assert ((decoder.logits(decoder(tokens, other)) - logits).abs().amax(2) > 1e-4).all()


@pytest.mark.parametrize('text_tower', [TRANSFORMER, ROBERTA], ids=['TextTransformer', 'RoBERTa'])
@modes
@pytest.mark.parametrize('settings', [dict(num_beams=1), dict(num_beams=4), dict(num_beams=5, no_repeat_ngram_size=2)], ids=str)
@torch.no_grad()
def test_cached_equals_uncached(settings, mode, text_tower):
    decoder, stream = decoder_and_stream(mode=mode, text_tower=text_tower)
    prompt = torch.tensor([[1, 40, 60]]).expand(8, -1)
    options = dict(end_id=END, settings=BeamSettings(max_new_tokens=15, length_penalty=0.5, **settings))
    cached = beam_search(EndingInTurn(CaptionDecoding(decoder, stream), 8), prompt, **options)
    uncached = beam_search(EndingInTurn(Uncached(decoder, stream), 8), prompt, **options)
    for one, other in zip(cached, uncached, strict=True):
        assert [hypothesis.tokens for hypothesis in one] == [hypothesis.tokens for hypothesis in other]
        assert [h.score for h in one] == pytest.approx([h.score for h in other], abs=1e-5)
    assert [len(hypotheses[0].tokens) for hypotheses in cached] == list(range(3, 11))
    assert len({hypotheses[0].tokens[:3] for hypotheses in cached}) > 1
    # One image at a time.
    for item in range(8):
        alone = EndingInTurn(CaptionDecoding(decoder, [image[item : item + 1] for image in stream]), 1)
        alone.lengths += item
        (hypotheses,) = beam_search(alone, prompt[:1], **options)
        assert [h.tokens for h in hypotheses] == [h.tokens for h in cached[item]]


@torch.no_grad()
def test_keys_of_images_are_not_copied_for_beams():
    decoder, stream = decoder_and_stream()
    decoding = CaptionDecoding(decoder, stream)
    decoding.step(torch.ones(8, 1, 1, dtype=torch.int64))
    keys = decoding.images[0][0]
    decoding.keep(None, torch.zeros(8, 4, dtype=torch.int64))
    assert decoding.step(torch.ones(8, 4, 1, dtype=torch.int64)).shape == (8, 4, 300)
    assert decoding.images[0][0] is keys and len(keys) == 8


def test_a_text_beyond_the_positions_is_refused():
    decoder, stream = decoder_and_stream()
    with pytest.raises(ValueError, match='41 tokens, the decoder has 40 positions'):
        decoder(torch.ones(8, 41, dtype=torch.int64), stream)
