"""Heads on top of backbones."""

from florence.models.heads.attribute_head import AttributeHead
from florence.models.heads.dyhead import DyHead
from florence.models.heads.dyrelu import DyReLU
from florence.models.heads.sentence_head import SentenceHead
from florence.models.heads.vqa_head import VQAHead

__all__ = ['AttributeHead', 'DyHead', 'DyReLU', 'SentenceHead', 'VQAHead']
