"""Heads on top of backbones."""

from florence.models.heads.attribute_head import AttributeHead
from florence.models.heads.caption_head import CaptionHead
from florence.models.heads.dyhead import DyHead
from florence.models.heads.dyrelu import DyReLU
from florence.models.heads.pretrain_head import PretrainHead
from florence.models.heads.ranking_head import RankingHead
from florence.models.heads.sentence_head import SentenceHead
from florence.models.heads.vqa_head import VQAHead

__all__ = ['AttributeHead', 'CaptionHead', 'DyHead', 'DyReLU', 'PretrainHead', 'RankingHead', 'SentenceHead', 'VQAHead']
