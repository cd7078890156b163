"""Image and video towers."""

from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.frozen_backbone import FrozenBackbone

__all__ = ['CoSwin', 'FrozenBackbone']
