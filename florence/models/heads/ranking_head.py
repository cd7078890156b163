"""Image-text retrieval: two towers propose, the fusion ranks (METER, arXiv 2111.02387, section 4.1; ALBEF, arXiv 2107.07651).

METER ranks each image's caption among 15 false ones with row 1 of its matching head, a softmax over the 16. Here the false ones
come from the batch, in both directions, so that every image and text is encoded once and only the fusion runs per pair; a frozen
two-tower model finds those that are hard, and in evaluation the candidates. Without one this is METER's protocol: random
negatives, every pair a candidate.

Differs from METER's code: the output is a layer of its own, there it is a view of the frozen matching head, trained at the base
rate.
"""

import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from florence.layers import Linear
from florence.models.fusion import init_bert_weights
from florence.models.two_tower import TwoTower
from florence.models.vision_language.candidate_negatives import draw_negatives
from florence.models.vision_language.candidates import CandidatePairs
from florence.models.vision_language.meter_encoder import METEREncoder
from florence.models.vision_language.negative_pairs import matching_pairs
from florence.models.vision_language.pair_scoring import PairScorer, score_candidates
from florence.registry import MODELS
from florence.structures import ImageTextSample

NEGATIVES = ('hard', 'random')


@MODELS.register_module()
class RankingHead(BaseModule):
    """Scores how well images and texts fit.

    Args:
        embed_dims: Width D of the tokens.
        two_tower: Config of a `TwoTower`, or one: proposes candidates and hard negatives. None: every pair is a candidate.
        two_tower_size: Side to which images are scaled for it, pixels; None = as they are.
        freeze_two_tower: Whether it stays as it is; False adds its own loss.
        negatives: How the false items of a batch are drawn: 'hard', by the two-tower model's softmax, or 'random'; None = 'hard'
            where there is such a model.
        num_negatives: False texts of each image, and false images of each text.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If `negatives` is unknown or 'hard' without a two-tower model, or `num_negatives` is below 1.
    """

    def __init__(
        self,
        embed_dims: int,
        *,
        two_tower: dict | TwoTower | None = None,
        two_tower_size: int | None = None,
        freeze_two_tower: bool = True,
        negatives: str | None = None,
        num_negatives: int = 15,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        negatives = negatives or ('random' if two_tower is None else 'hard')
        if negatives not in NEGATIVES or num_negatives < 1:
            raise ValueError(
                f'RankingHead: negatives must be one of {NEGATIVES} and num_negatives at least 1, got {negatives!r} and '
                f'{num_negatives}.'
            )
        if negatives == 'hard' and two_tower is None:
            raise ValueError("RankingHead: negatives='hard' are found by a two-tower model: give one, or take 'random'.")
        self.negatives, self.num_negatives, self.two_tower_size = negatives, num_negatives, two_tower_size
        self.two_tower: TwoTower | None = MODELS.build(two_tower) if isinstance(two_tower, dict) else two_tower
        self.is_frozen = freeze_two_tower and two_tower is not None
        if self.two_tower is not None and self.is_frozen:
            self.two_tower.requires_grad_(False).eval()
        self.score: nn.Module = Linear(2 * embed_dims, 1).apply(init_bert_weights)
        self._has_warned = False

    def train(self, mode: bool = True) -> 'RankingHead':
        """Switch mode; a frozen two-tower model stays in evaluation mode."""
        super().train(mode)
        if self.two_tower is not None and self.is_frozen:
            self.two_tower.eval()
        return self

    def loss(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """Cross entropy of the right text among false ones, and of the right image; for the log how often each comes first.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)`, B >= 2.
            data_samples: With `text`.

        Raises:
            ValueError: If a sample has no text, or no two pairs of the batch differ.
        """
        texts = _texts(data_samples)
        losses, logits = self._propose(inputs, data_samples)
        allowed = ~matching_pairs(data_samples, texts).to(inputs.device)
        if not allowed.any():
            raise ValueError(
                f'RankingHead needs pairs that differ in a batch, all {len(texts)} show one image or one text: raise batch_size.'
            )
        image = encoder.encode_image(inputs)
        text, mask = encoder.encode_text(texts)
        false_texts, is_text = draw_negatives(logits, allowed, self.num_negatives)
        false_images, is_image = draw_negatives(logits.t(), allowed, self.num_negatives)
        self._warn_of_few(int(torch.minimum(is_text.sum(1), is_image.sum(1)).min()), len(texts))
        own = torch.arange(len(texts), device=inputs.device)
        owner = own[:, None].expand_as(false_texts)
        # The right pair stands for both directions: B (1 + 2 K) pairs.
        images = torch.cat([own, owner.flatten(), false_images.flatten()])
        words = torch.cat([own, false_texts.flatten(), owner.flatten()])
        features = encoder.pool(*encoder.fuse(text[words], image[images], mask[words]))
        scores = self.score(features).float().flatten()
        right, of_texts, of_images = scores.split([len(own), owner.numel(), owner.numel()])
        for name, false, keep in (('i2t', of_texts, is_text), ('t2i', of_images, is_image)):
            row = torch.cat([right[:, None], false.view_as(keep).masked_fill(~keep, -torch.inf)], 1)  # (B, 1 + K)
            row = row[keep.any(1)]
            losses[f'loss_{name}'] = F.cross_entropy(row, torch.zeros(len(row), dtype=torch.int64, device=row.device))
            # A tie with a false one is no success: equal scores for all would be one in every row.
            losses[f'{name}_first'] = (row[:, :1] > row[:, 1:]).all(1).float().mean()
        return losses

    @torch.no_grad()
    def predict(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """What a ranking needs of each item alone.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: With `captions`.

        Returns:
            The samples with `image_tokens` `(L_i, D)`, `text_tokens`, a tuple of `(L, D)`, one per caption, without padding; and
            with a two-tower model `image_embeds` and `text_embeds`.
        """
        if self.two_tower is not None:
            self.two_tower.predict(self.scaled(inputs), data_samples)
        image = encoder.encode_image(inputs)
        texts = text_tokens(encoder, [caption for sample in data_samples for caption in sample.get('captions', ())])
        start = 0
        for sample, tokens in zip(data_samples, image, strict=True):
            sample.image_tokens = tokens
            count = len(sample.get('captions', ()))
            sample.text_tokens = texts[start : start + count]
            start += count
        return data_samples

    def candidates(self, image_embeds: Tensor, text_embeds: Tensor, top_k: int) -> CandidatePairs:
        """Candidates of a whole data set, from the embeddings of `predict`; found on the device of the model."""
        device = next(self.score.parameters()).device
        return CandidatePairs(image_embeds.to(device), text_embeds.to(device), top_k)

    def rank(
        self,
        encoder: METEREncoder,
        images: Tensor,
        texts: Sequence[Tensor],
        candidates: Sequence[Tensor | None],
        *,
        pair_batch: int = 256,
    ) -> list[Tensor]:
        """Scores of images with their candidates.

        Args:
            encoder: The encoders and fusion, in evaluation mode.
            images: Image tokens, `(N, L_i, D)`.
            texts: Tokens of all T texts, `(L, D)` each.
            candidates: For each image the indices of the texts that it is compared with, int64; None = all.
            pair_batch: Pairs that pass the fusion at once.

        Returns:
            For each image the scores of its candidates, fp32 on the CPU.
        """
        with torch.no_grad():
            return score_candidates(PairScorer(encoder), self.score, images, texts, candidates, pair_batch=pair_batch)

    def _propose(self, inputs: Tensor, samples: list[ImageTextSample]) -> tuple[dict[str, Tensor], Tensor]:
        """Losses of the two-tower model, and logits `(B, B)` by which negatives are drawn."""
        uniform = torch.zeros(len(samples), len(samples), device=inputs.device)
        if self.two_tower is None or (self.is_frozen and self.negatives == 'random'):
            return {}, uniform
        with torch.set_grad_enabled(not self.is_frozen and torch.is_grad_enabled()):
            image, text, scale = self.two_tower.encode(self.scaled(inputs), samples)
            losses = {} if self.is_frozen else self.two_tower.loss_from((image, text, scale), samples)
        if self.negatives == 'random':
            return losses, uniform
        # Half precision would round items that are much alike to one logit.
        with torch.no_grad(), torch.autocast(inputs.device.type, enabled=False):
            return losses, scale * image @ text.t()

    def scaled(self, inputs: Tensor) -> Tensor:
        """Images at the size of the two-tower model, `(B, 3, S, S)`."""
        if self.two_tower_size is None or inputs.shape[2:] == (self.two_tower_size, self.two_tower_size):
            return inputs
        return F.interpolate(inputs, size=(self.two_tower_size, self.two_tower_size), mode='bilinear', antialias=True)

    def _warn_of_few(self, fewest: int, batch: int) -> None:
        """Once: fewer false items than were asked for."""
        if fewest < self.num_negatives and not self._has_warned:
            self._has_warned = True
            print_log(
                f'RankingHead: a batch of {batch} gave some pairs only {fewest} of num_negatives={self.num_negatives} '
                'false items; the softmax of such a pair is over fewer (said once).',
                'current',
                logging.WARNING,
            )

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """A pretraining checkpoint gives the score the row 'match' of its matching head."""
        for part in ('weight', 'bias'):
            row = state_dict.get(f'{prefix}itm.fc.{part}')
            if row is not None and f'{prefix}score.{part}' not in state_dict:
                state_dict[f'{prefix}score.{part}'] = row[1:].clone()
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def text_tokens(encoder: METEREncoder, texts: list[str]) -> tuple[Tensor, ...]:
    """Tokens of each text before the fusion, `(L, D)`, without padding; a text that occurs several times is encoded once."""
    if not texts:
        return ()
    distinct = list(dict.fromkeys(texts))
    tokens, mask = encoder.encode_text(distinct)
    by_text = {text: row[:length] for text, row, length in zip(distinct, tokens, mask.sum(1).tolist(), strict=True)}
    return tuple(by_text[text] for text in texts)


def _texts(samples: list[ImageTextSample]) -> list[str]:
    missing = [sample.get('sample_id') for sample in samples if not sample.get('text')]
    if missing:
        raise ValueError(f'{len(missing)} training samples have no text, e.g. {missing[0]!r}: check the pipeline.')
    return [sample.text for sample in samples]
