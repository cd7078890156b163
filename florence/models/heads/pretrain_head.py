"""Vision-language pretraining: masked language modelling and image-text matching (Florence, arXiv 2111.11432, section 2.5).

Source: METER (arXiv 2111.02387, section 3.3): both losses with weight 1; masked texts see their own image, matching is judged on
whole texts.

Differs from METER's code: each image is encoded once for both losses, and a mismatched text gets an image of the batch, where
METER decodes and encodes two images a sample; the masked and the whole texts pass the encoders as one batch.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from florence.models.heads.itm import ITMHead
from florence.models.heads.mlm import MLMHead
from florence.models.vision_language.masked_tokens import IGNORED, TokenMasker
from florence.models.vision_language.meter_encoder import METEREncoder
from florence.models.vision_language.negative_pairs import NEGATIVES, draw_images, matching_pairs, next_other
from florence.registry import MODELS
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label


@MODELS.register_module()
class PretrainHead(BaseModule):
    """Both pretraining tasks.

    Args:
        vocab_size: Tokens of the tokenizer's vocabulary.
        embed_dims: Width D of the tokens.
        mask_ratio: Share of the tokens, or words, that are to be predicted.
        whole_word: Whether whole words are hidden.
        negatives: How the image of a mismatched text is drawn from the batch: 'hard', one that looks like the right image, or
            'random'.
        tied: Whether the prediction of tokens shares its weights with the word embedding, whose width must then be D.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If `negatives` is unknown or `mask_ratio` out of its range.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dims: int,
        *,
        mask_ratio: float = 0.15,
        whole_word: bool = True,
        negatives: str = 'hard',
        tied: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if negatives not in NEGATIVES:
            raise ValueError(f'PretrainHead: negatives must be one of {NEGATIVES}, got {negatives!r}.')
        self.negatives = negatives
        self.masker = TokenMasker(mask_ratio, whole_word=whole_word)
        self.mlm = MLMHead(embed_dims, vocab_size, tied=tied)
        self.itm = ITMHead(embed_dims)

    def loss(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """Both losses, and both accuracies for the log.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)`, B >= 2.
            data_samples: With `text`.

        Raises:
            ValueError: If the batch has one sample only, or a sample has no text, or the tokenizer does not fit.
        """
        if len(data_samples) < 2:
            raise ValueError('PretrainHead needs at least two pairs in a batch: a mismatched text gets the image of another one.')
        texts = _texts(data_samples)
        ids, mask, labels = self._masked(encoder, texts)
        image = encoder.encode_image(inputs)
        order, is_match = draw_images(matching_pairs(data_samples, texts), image, self.negatives)
        text, text_mask = encoder.encode_tokens(ids, mask)  # masked texts, then whole ones
        image_pairs = torch.cat([image, image[order.to(image.device)]])  # (2 B, L_i, D)
        text, image_pairs = encoder.fuse(text, image_pairs, text_mask)
        own, both = slice(len(texts)), slice(len(texts), None)
        match_logits = self.itm(encoder.pool(text[both], image_pairs[both])).float()
        token_logits, targets, _ = self._predict_tokens(encoder, text[own], labels)
        is_match = is_match.to(match_logits.device)
        return {
            'loss_mlm': F.cross_entropy(token_logits, targets, reduction='sum') / max(1, len(targets)),
            'loss_itm': F.cross_entropy(match_logits, is_match),
            'mlm_accuracy': (token_logits.detach().argmax(1) == targets).float().sum() / max(1, len(targets)),
            'itm_accuracy': (match_logits.detach().argmax(1) == is_match).float().mean(),
        }

    @torch.no_grad()
    def predict(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """The samples with what `florence.PretrainMetric` counts.

        A text alone decides what of it is hidden. It is predicted with its image and with a blank one, of the mean colour of the
        normalisation. The mismatched image of a text is the next of the batch that it does not match.

        Returns:
            The samples with `num_masked`, `num_right` and `num_right_blank` (int: hidden tokens, and those predicted with the
            image and with the blank one), `match_score` and `mismatch_score` (float: probability of a match with the own and
            with another image; the latter is left out where every image of the batch matches).
        """
        texts = _texts(data_samples)
        ids, mask, labels = self._masked(encoder, texts, [text_label(text) for text in texts])
        image = encoder.encode_image(inputs)
        blank = encoder.encode_image(torch.zeros_like(inputs[:1])).expand_as(image)
        text, text_mask = encoder.encode_tokens(ids, mask)
        masked, whole = text.chunk(2)
        text_mask = text_mask[: len(texts)]
        right = [self._count_right(encoder, masked, tokens, text_mask, labels) for tokens in (image, blank)]
        others = next_other(matching_pairs(data_samples, texts))
        matched = self._match_scores(encoder, whole, image, text_mask)
        mismatched = self._match_scores(encoder, whole, image[others.to(image.device)], text_mask)
        for i, sample in enumerate(data_samples):
            sample.num_masked = int((labels[i] != IGNORED).sum())
            sample.num_right, sample.num_right_blank = right[0][i], right[1][i]
            sample.match_score = matched[i]
            if others[i] >= 0:
                sample.mismatch_score = mismatched[i]
        return data_samples

    def _masked(
        self, encoder: METEREncoder, texts: list[str], seeds: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Ids of the masked, then of the whole texts, `(2 B, L)`; their mask; the hidden ids `(B, L)`."""
        tokenizer = encoder.tokenizer.tokenizer
        if tokenizer.vocab_size != self.mlm.vocab_size:
            raise ValueError(
                f'PretrainHead predicts one of vocab_size={self.mlm.vocab_size} tokens, the tokenizer has '
                f'{tokenizer.vocab_size}: set vocab_size of the head to that.'
            )
        encoded = encoder.tokenizer.encode(texts)
        ids, mask = encoded['input_ids'], encoded['attention_mask']
        masked, labels = self.masker(tokenizer, ids, mask, seeds)
        return torch.cat([masked, ids]), torch.cat([mask, mask]), labels

    def _predict_tokens(self, encoder: METEREncoder, text: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits and targets of the hidden tokens, `(N, V)` fp32 and `(N,)`, and which text each belongs to, `(N,)`."""
        labels = labels.to(text.device)
        rows, columns = (labels != IGNORED).nonzero(as_tuple=True)
        word_weight = self._word_weight(encoder) if self.mlm.tied else None
        # Most tokens are not hidden: the vocabulary is multiplied for those only that are.
        return self.mlm(text[rows, columns], word_weight).float(), labels[rows, columns], rows

    def _word_weight(self, encoder: METEREncoder) -> Tensor:
        weight = encoder.text_tower.get_parameter('token_embedding.weight')
        expected = (self.mlm.vocab_size, self.mlm.dense.out_features)
        if tuple(weight.shape) != expected:
            raise ValueError(
                f'PretrainHead(tied=True) needs a word embedding of (vocab_size, embed_dims) = {expected}, the text tower has '
                f'{tuple(weight.shape)}: set tied=False.'
            )
        return weight

    def _count_right(self, encoder: METEREncoder, text: Tensor, image: Tensor, text_mask: Tensor, labels: Tensor) -> list[int]:
        fused, _ = encoder.fuse(text, image, text_mask)
        logits, targets, rows = self._predict_tokens(encoder, fused, labels)
        return torch.bincount(rows[logits.argmax(1) == targets], minlength=len(text)).tolist()

    def _match_scores(self, encoder: METEREncoder, text: Tensor, image: Tensor, text_mask: Tensor) -> list[float]:
        logits = self.itm(encoder.pool(*encoder.fuse(text, image, text_mask)))
        return logits.float().softmax(1)[:, 1].tolist()


def _texts(samples: list[ImageTextSample]) -> list[str]:
    """The text of each sample, or the first of its captions where evaluation keeps them all."""
    texts = [sample.get('text') or next(iter(sample.get('captions', ())), '') for sample in samples]
    missing = [sample.get('sample_id') for sample, text in zip(samples, texts, strict=True) if not text]
    if missing:
        raise ValueError(f'{len(missing)} samples have no text, e.g. {missing[0]!r}: check the pipeline.')
    return texts
