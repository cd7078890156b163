"""Dynamic Head (arXiv 2106.08322), the adapter of Florence from images to objects (arXiv 2111.11432, section 2.4).

A neck for mmdet's one-stage detectors: behind an FPN, in front of a head without convolutions of its own
(`ATSSHead(stacked_convs=0)`). Published weights of the official code and of mmdet convert to it
(`florence.models.converters.dyhead`) and need `offset_mode='official'`.
"""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from florence.models.heads.dyhead_block import OFFSET_MODES, SCALE_RANGES, DyHeadBlock
from florence.registry import MODELS


@MODELS.register_module()
class DyHead(BaseModule):
    """A stack of blocks over a pyramid.

    Args:
        in_channels: Channels of every level.
        out_channels: Channels of every level that comes out.
        num_blocks: 6 in the paper; 8 for the largest models.
        offset_mode: How the offsets of a level steer the convolution of the coarser level, whose output is smaller. 'interp'
            resizes offsets and masks to that output, so that they act where they were predicted, at the cost of 'official'.
            'upsample_first' enlarges the coarser map instead, as the paper has it: half as many positions again. 'official'
            reads the head of the offsets' buffer, as published weights were trained: offsets and masks of that branch come from
            other places, up to a whole map away.
        dcn_bias: Biases of the deformable convolutions, as in the official code; mmdet has none.
        norm_groups: Groups of the normalisation behind them; None for none, then masks start at 1 instead of a half.
        zero_init_offset: Start from offsets of 0 and masks of a half; else from PyTorch's random weights, as the official code.
        scale_range: Range of the scale-aware attention, 'code' for [0.5, 1] as in the official code, 'paper' for [0, 1].
        task_attention: False puts a plain ReLU in its place, for detectors of two stages, where `DyReLU` follows the RoI pooling.
        with_cp: Recompute the blocks in the backward instead of keeping what lies between their maps.

    Raises:
        ValueError: If an argument has no such value.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_blocks: int = 6,
        *,
        offset_mode: str = 'interp',
        dcn_bias: bool = True,
        norm_groups: int | None = 16,
        zero_init_offset: bool = True,
        scale_range: str = 'code',
        task_attention: bool = True,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        for name, value, known in (('offset_mode', offset_mode, OFFSET_MODES), ('scale_range', scale_range, SCALE_RANGES)):
            if value not in known:
                raise ValueError(f'{name} must be one of {", ".join(known)}, not {value!r}')
        if num_blocks < 1:
            raise ValueError(f'num_blocks must be 1 at least, not {num_blocks}')
        if norm_groups and out_channels % norm_groups:
            raise ValueError(f'out_channels={out_channels} cannot be divided into norm_groups={norm_groups}')
        self.in_channels, self.with_cp = in_channels, with_cp
        self.blocks = nn.ModuleList(
            DyHeadBlock(
                out_channels if index else in_channels,
                out_channels,
                offset_mode=offset_mode,
                dcn_bias=dcn_bias,
                norm_groups=norm_groups,
                zero_init_offset=zero_init_offset,
                scale_range=scale_range,
                task_attention=task_attention,
            )
            for index in range(num_blocks)
        )

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps `(B, C, H, W)` from fine to coarse, each about half as large as the one before, to maps of the same sizes.

        Raises:
            ValueError: If there is no map, or one has other channels than `in_channels`.
        """
        widths = [level.shape[1] for level in levels]
        if not widths or set(widths) != {self.in_channels}:
            raise ValueError(f'DyHead expects one map or more, each of {self.in_channels} channels, but got channels {widths}')
        dtype, device = levels[0].dtype, levels[0].device.type
        maps = tuple(level.contiguous(memory_format=torch.channels_last) for level in levels)
        for block in self.blocks:
            recompute = self.with_cp and torch.is_grad_enabled()
            maps = checkpoint(block, *maps, use_reentrant=False) if recompute else block(*maps)
        # Between blocks, and under autocast behind them, maps are float32 as behind any normalisation.
        return maps if torch.is_autocast_enabled(device) else tuple(level.to(dtype) for level in maps)
