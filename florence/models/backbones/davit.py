"""DaViT (arXiv 2204.03645), the image tower of Florence-2 (arXiv 2311.06242), in both forms: that of Florence-2 and that of the
ImageNet weights; `florence.models.backbones.davit_archs` has the sizes.

Weights of Microsoft's, Hugging Face's and timm's towers convert both ways (`florence.models.converters.davit`).

Differs from the official code in: maps are channels-last from the stem to the outputs; any input size, rectangles too.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from florence.layers import (
    ChannelAttention,
    ConvEmbed,
    PlainWindowAttention,
    drop_path_rates,
    init_conv_weights,
    init_transformer_weights,
)
from florence.models.backbones.davit_archs import resolve_arch
from florence.models.backbones.davit_block import AttentionBlock, DualAttentionBlock
from florence.models.backbones.stage_trunk import Stage, StageTrunk, check_stages
from florence.registry import MODELS


@MODELS.register_module()
class DaViT(StageTrunk):
    """Images -> maps of four strides (4, 8, 16 and 32 for a stem of stride 4).

    Args:
        arch: Key of `davit_archs.ARCHS`, or a dict of `embed_dims`, `depths`, `num_heads` (one value per stage; the channels have
            as many groups), `window_size` and optionally `stem_kernel` (7), `stem_stride` (4), `down_kernel` (3),
            `channel_attention` ('tokens') and `drop_path_rate` (0.1).
        channel_attention: 'tokens' = Florence-2's form, 'heads' = that of the ImageNet weights; None takes that of `arch`.
        drop_path_rate: Stochastic depth of the last block, rising linearly from 0; None takes that of `arch`.
        out_indices: Stages whose maps are returned, 0 to 3, rising. Stages after the last one asked for are not built.
        out_norms: Whether each of these maps passes its own LayerNorm, as in the official detectors; Florence-2 has none.
        frozen_stages: -1 = none, 0 = the stem, k = the stem and the first k stages. Frozen parts have no gradient and stay in
            evaluation mode.
        with_cp: Whether blocks are recomputed in the backward pass instead of storing activations; one bool, or one per stage.
        init_cfg: Initialisation of mmengine, e.g. `dict(type='Pretrained', checkpoint=...)`.

    Attributes:
        embed_dims: Channels of the last output.
        num_features: Channels of every stage that is built.
        out_channels: Channels of every output.

    Raises:
        ValueError: If `arch` is unknown or incomplete, or an argument is out of its range.
    """

    def __init__(
        self,
        arch: str | dict[str, Any] = 'florence2-base',
        *,
        channel_attention: str | None = None,
        drop_path_rate: float | None = None,
        out_indices: Sequence[int] = (3,),
        out_norms: bool = False,
        frozen_stages: int = -1,
        with_cp: bool | Sequence[bool] = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        sizes = resolve_arch(arch)
        with_cp = check_stages(len(sizes['depths']), out_indices, with_cp)
        form = sizes['channel_attention'] if channel_attention is None else channel_attention
        # Both halves of a block have a rate of their own.
        rates = drop_path_rates(
            sizes['drop_path_rate'] if drop_path_rate is None else drop_path_rate, [2 * depth for depth in sizes['depths']]
        )
        num_features = list(sizes['embed_dims'])[: out_indices[-1] + 1]
        stages = []
        for stage, (dims, heads) in enumerate(zip(num_features, sizes['num_heads'], strict=False)):
            blocks: list[nn.Module] = [
                DualAttentionBlock(
                    AttentionBlock(PlainWindowAttention(dims, heads, sizes['window_size']), dims, spatial),
                    AttentionBlock(ChannelAttention(dims, heads, form), dims, channel),
                )
                for spatial, channel in zip(rates[stage][::2], rates[stage][1::2], strict=True)
            ]
            stages.append(Stage(_stage_embed(stage, sizes), blocks, with_cp[stage]))
        super().__init__(
            stages,
            num_features,
            out_indices=out_indices,
            out_norms=out_norms,
            frozen_stages=frozen_stages,
            init_cfg=init_cfg,
        )
        init_transformer_weights(self)
        init_conv_weights(self)
        self._freeze()


def _stage_embed(stage: int, sizes: dict[str, Any]) -> ConvEmbed:
    dims, kernel, down_kernel = sizes['embed_dims'], sizes['stem_kernel'], sizes['down_kernel']
    if stage == 0:
        return ConvEmbed(3, dims[0], kernel, sizes['stem_stride'], padding=kernel // 2)
    return ConvEmbed(dims[stage - 1], dims[stage], down_kernel, 2, norm_first=True)
