"""Heads on top of backbones."""

from florence.models.heads.attribute_head import AttributeHead
from florence.models.heads.dyhead import DyHead
from florence.models.heads.dyrelu import DyReLU

__all__ = ['AttributeHead', 'DyHead', 'DyReLU']
