"""Models of images and language: METER's encoders, fusion and tasks."""

from florence.models.vision_language.meter_encoder import METEREncoder
from florence.models.vision_language.meter_model import METERModel

__all__ = ['METEREncoder', 'METERModel']
