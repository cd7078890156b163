"""Pure torch building blocks, without registry."""

from florence.layers.conv_embed import ConvEmbed, PatchMerging
from florence.layers.deform_conv import ModulatedDeformConv2d, modulated_deform_conv2d
from florence.layers.drop_path import DropPath, drop_path_rates
from florence.layers.init import init_transformer_weights
from florence.layers.linear import Linear
from florence.layers.mlp import Mlp
from florence.layers.norm import Fp32LayerNorm
from florence.layers.window_attention import WindowAttention

__all__ = [
    'ConvEmbed',
    'DropPath',
    'Fp32LayerNorm',
    'Linear',
    'Mlp',
    'ModulatedDeformConv2d',
    'PatchMerging',
    'WindowAttention',
    'drop_path_rates',
    'init_transformer_weights',
    'modulated_deform_conv2d',
]
