"""Semantic segmentation: a class for each pixel, over the maps of a backbone."""

from florence.models.segmentation.fcn_head import FCNHead
from florence.models.segmentation.semantic_segmentor import SemanticSegmentor
from florence.models.segmentation.uper_head import UPerHead

__all__ = ['FCNHead', 'SemanticSegmentor', 'UPerHead']
