"""Captioning as language modelling on images: next-token cross-entropy, and beam search.

METER and Florence (arXiv 2111.11432) give no recipe; ours is BLIP's (arXiv 2201.12086, section 3): a decoder that starts from
the pretrained text layers, an optional prompt whose tokens are not learned, label smoothing 0.1.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from florence.models.language import BaseTokenizer
from florence.models.seq2seq import BeamSettings, Hypothesis, beam_search
from florence.models.vision_language.caption_decoder import CaptionDecoder
from florence.models.vision_language.caption_decoding import CaptionDecoding
from florence.models.vision_language.decoder_start import decoder_weights
from florence.models.vision_language.image_stream import image_layers, image_stream
from florence.models.vision_language.meter_encoder import METEREncoder
from florence.registry import MODELS
from florence.structures import ImageTextSample

IGNORED = -100


@MODELS.register_module()
class CaptionHead(BaseModule):
    """Writes a caption. The decoder takes its sizes, and its first weights, from the encoder (`attach`).

    Args:
        embed_dims: Width D of the tokens.
        prompt: Words that every caption begins with, such as 'a picture of'; they are neither learned nor part of a prediction.
        label_smoothing: Share of the target that is spread over the vocabulary.
        decoding: Arguments of `florence.models.seq2seq.BeamSettings`.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If a setting is out of range.
    """

    decoder: CaptionDecoder

    def __init__(
        self,
        embed_dims: int,
        *,
        prompt: str = '',
        label_smoothing: float = 0.1,
        decoding: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f'CaptionHead: label_smoothing must lie in [0, 1), got {label_smoothing}.')
        self.embed_dims, self.prompt, self.label_smoothing = embed_dims, prompt.strip(), label_smoothing
        self.settings = BeamSettings(**(decoding or {}))

    def attach(self, encoder: METEREncoder) -> None:
        """Build the decoder, and freeze what captioning does not use of the encoder: text tower, text layers, poolers.

        Args:
            encoder: Of the model that this head belongs to.

        Raises:
            ValueError: If captions as long as `decoding` asks for do not fit the text tower.
        """
        assert encoder.embed_dims == self.embed_dims, 'the head was built for another encoder'
        self.decoder = CaptionDecoder.like(encoder)
        if self.settings.max_new_tokens > self.decoder.context_length:
            raise ValueError(
                f'CaptionHead: max_new_tokens={self.settings.max_new_tokens} exceeds the {self.decoder.context_length} positions '
                'of the text tower: ask for shorter captions.'
            )
        fusion = encoder.fusion
        unused = [encoder.text_tower, encoder.text_proj, encoder.text_pooler, encoder.image_pooler, image_layers(fusion)[-1]]
        if fusion.mode == 'co_attention':
            unused.append(fusion.text_layers)
            unused += [part for layer in fusion.image_layers for part in (layer.cross_attn, layer.cross_norm)]
        for module in unused:
            module.requires_grad_(False)

    def weights_from_encoder(self, encoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """First weights of this head, from the state dict of an encoder."""
        return {f'decoder.{name}': weight for name, weight in decoder_weights(encoder).items()}

    def loss(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """Mean cross-entropy of the tokens after the prompt, end token included, and the share of right guesses for the log.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: With `text`.

        Raises:
            ValueError: If a sample has no text.
        """
        input_ids, targets = self.training_tokens(encoder.tokenizer.tokenizer, _texts(data_samples))
        input_ids, targets = input_ids.to(inputs.device), targets.to(inputs.device)
        hidden = self.decoder(input_ids, image_stream(encoder.fusion, encoder.encode_image(inputs)))
        learned = targets != IGNORED
        targets = targets[learned]
        logits = self.decoder.logits(hidden[learned]).float()  # (tokens, V)
        return {
            'loss_caption': F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing),
            'token_accuracy': (logits.detach().argmax(1) == targets).float().mean(),
        }

    def training_tokens(self, tokenizer: BaseTokenizer, texts: list[str]) -> tuple[Tensor, Tensor]:
        """What the decoder reads, and the next token to each of them.

        Args:
            tokenizer: It cuts captions that are too long, and counts them.
            texts: B captions.

        Returns:
            Ids `(B, L)`, and targets `(B, L)`, -100 at the prompt and at padding.

        Raises:
            ValueError: If the prompt's tokens are others when a caption follows, or leave no room for one.
        """
        encoded = tokenizer([f'{self.prompt} {text}' if self.prompt else text for text in texts])
        input_ids, keep = _with_start(tokenizer, encoded['input_ids']), encoded['attention_mask'].bool()
        targets = input_ids[:, 1:].masked_fill(~keep[:, -(input_ids.shape[1] - 1) :], IGNORED)
        prompt = torch.tensor(self.prompt_tokens(tokenizer))
        if not (input_ids[:, : len(prompt)] == prompt).all():
            raise ValueError(f'CaptionHead: the prompt {self.prompt!r} must end where a token ends: end it with a whole word.')
        targets[:, : len(prompt) - 1] = IGNORED
        return input_ids[:, :-1], targets

    def prompt_tokens(self, tokenizer: BaseTokenizer) -> list[int]:
        """Ids that a caption begins with: the start token, and the prompt."""
        if not self.prompt:
            return [_start_id(tokenizer)]
        tokens = _with_start(tokenizer, tokenizer([self.prompt])['input_ids'])[0, :-1].tolist()
        if len(tokens) + 1 >= tokenizer.context_length:  # the end token makes it full
            raise ValueError(
                f'CaptionHead: the prompt fills all {tokenizer.context_length} tokens of a text: shorten it, or raise '
                'context_length of the tokenizer.'
            )
        return tokens

    @torch.no_grad()
    def predict(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """The samples with `pred_caption`, without the prompt, and `pred_caption_score`."""
        tokenizer = encoder.tokenizer.tokenizer
        for sample, hypothesis in zip(data_samples, self.generate(encoder, inputs), strict=True):
            sample.pred_caption = tokenizer.decode(hypothesis.tokens)
            sample.pred_caption_score = hypothesis.score
        return data_samples

    @torch.no_grad()
    def generate(self, encoder: METEREncoder, inputs: Tensor) -> list[Hypothesis]:
        """The best caption of each image, as tokens.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)`.

        Raises:
            ValueError: If the prompt with the longest caption does not fit the text tower.
        """
        tokenizer = encoder.tokenizer.tokenizer
        prompt = torch.tensor(self.prompt_tokens(tokenizer), device=inputs.device)
        longest = len(prompt) + self.settings.max_new_tokens - 1  # nothing follows the last token
        if longest > self.decoder.context_length:
            raise ValueError(
                f'CaptionHead: a prompt of {len(prompt)} tokens and max_new_tokens={self.settings.max_new_tokens} do not fit the '
                f'{self.decoder.context_length} positions of the text tower: ask for shorter captions.'
            )
        stream = image_stream(encoder.fusion, encoder.encode_image(inputs))
        results = beam_search(
            CaptionDecoding(self.decoder, stream),
            prompt.expand(len(inputs), -1),
            end_id=tokenizer.eot_id,
            settings=self.settings,
            suppressed=_no_words(tokenizer, self.decoder).to(inputs.device),
        )
        return [hypotheses[0] for hypotheses in results]


def _texts(samples: list[ImageTextSample]) -> list[str]:
    texts = [sample.get('text', '') for sample in samples]
    missing = [sample.get('sample_id') for sample, text in zip(samples, texts, strict=True) if not text.strip()]
    if missing:
        # Behind a prompt an empty caption would be a text, and teach that nothing follows.
        raise ValueError(f'{len(missing)} samples have no text, e.g. {missing[0]!r}: check that PickCaption is in the pipeline.')
    return texts


def _start_id(tokenizer: BaseTokenizer) -> int:
    return tokenizer.eot_id if tokenizer.sot_id is None else tokenizer.sot_id


def _with_start(tokenizer: BaseTokenizer, input_ids: Tensor) -> Tensor:
    """`(B, L)` to the same, or to `(B, L + 1)` where the vocabulary has no start token: its end token then starts texts."""
    if tokenizer.sot_id is not None:
        return input_ids
    return F.pad(input_ids, (1, 0), value=_start_id(tokenizer))


def _no_words(tokenizer: BaseTokenizer, decoder: CaptionDecoder) -> Tensor:
    """Ids that no caption may hold: special tokens, and rows of the embedding that no token has."""
    vocab_size = len(decoder.bias)
    forbidden = torch.ones(vocab_size, dtype=torch.bool)
    forbidden[tokenizer.ordinary_ids()] = False
    forbidden[tokenizer.eot_id] = False
    return forbidden.nonzero()[:, 0]
