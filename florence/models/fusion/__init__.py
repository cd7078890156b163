"""Fusion of modalities."""

from florence.models.fusion.attention_maps import cross_attention_weights
from florence.models.fusion.fusion_layer import Attention, FusionLayer
from florence.models.fusion.meter_fusion import METERFusion, init_bert_weights

__all__ = ['Attention', 'FusionLayer', 'METERFusion', 'cross_attention_weights', 'init_bert_weights']
