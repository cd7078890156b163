"""Pure torch building blocks, without registry."""

from florence.layers.channel_attention import ChannelAttention
from florence.layers.conv_embed import ConvEmbed, PatchMerging
from florence.layers.conv_embed_3d import ConvEmbed3d, FrameMerging
from florence.layers.deform_conv import ModulatedDeformConv2d, modulated_deform_conv2d
from florence.layers.drop_path import DropPath, drop_path_rates
from florence.layers.init import init_conv_weights, init_transformer_weights
from florence.layers.linear import Linear
from florence.layers.mlp import Mlp
from florence.layers.norm import Fp32LayerNorm
from florence.layers.plain_window_attention import PlainWindowAttention
from florence.layers.position_conv import PositionConv
from florence.layers.window_attention import WindowAttention
from florence.layers.window_attention_3d import WindowAttention3d

__all__ = [
    'ChannelAttention',
    'ConvEmbed',
    'ConvEmbed3d',
    'DropPath',
    'Fp32LayerNorm',
    'FrameMerging',
    'Linear',
    'Mlp',
    'ModulatedDeformConv2d',
    'PatchMerging',
    'PlainWindowAttention',
    'PositionConv',
    'WindowAttention',
    'WindowAttention3d',
    'drop_path_rates',
    'init_conv_weights',
    'init_transformer_weights',
    'modulated_deform_conv2d',
]
