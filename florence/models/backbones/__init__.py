"""Image and video towers."""

from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.davit import DaViT
from florence.models.backbones.frozen_backbone import FrozenBackbone
from florence.models.backbones.video_coswin import VideoCoSwin

__all__ = ['CoSwin', 'DaViT', 'FrozenBackbone', 'VideoCoSwin']
