"""Image and video towers."""

from florence.models.backbones.coswin import CoSwin

__all__ = ['CoSwin']
