"""CoSwin, the image tower of Florence (arXiv 2111.11432, section 2.3): a Swin transformer (arXiv 2103.14030)
whose patch embedding and patch merging are CvT's convolutional embeddings (arXiv 2103.15808).

The paper names no sizes; `florence.models.backbones.coswin_archs` says where ours come from. Global average
pooling belongs to the model that owns the tower.

Differs from the official Swin in: any input size; the smaller windows of small maps use the bias table's true
offsets. `embed='patch'` is Swin itself and takes official weights (`florence.models.converters.swin`).
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from florence.layers import ConvEmbed, PatchMerging, WindowAttention, drop_path_rates, init_transformer_weights
from florence.models.backbones.coswin_archs import check_embed, resolve_arch
from florence.models.backbones.coswin_block import CoSwinBlock
from florence.models.backbones.stage_trunk import Stage, StageTrunk, check_stages
from florence.models.backbones.window_checkpoint import adapt_window_checkpoint
from florence.registry import MODELS


@MODELS.register_module()
class CoSwin(StageTrunk):
    """Images -> maps of four strides (4, 8, 16 and 32 for a stem of stride 4).

    Args:
        arch: Key of `coswin_archs.ARCHS`, or a dict of `embed_dims`, `depths`, `num_heads` (one value per
            stage), `window_size` and optionally `stem_kernel` (7), `stem_stride` (4) and `drop_path_rate`
            (0).
        in_channels: Channels of the images.
        embed: 'conv' = convolutional embeddings, 'patch' = Swin's: its stem's kernel is its stride, and
            merging is linear.
        window_size: Side of a window in tokens; None takes that of `arch` (7 for 224 px; 12 goes with 384
            px).
        shift_before_pad: Order of shift and padding on maps that are no multiple of the window; False keeps opposite borders
            apart, as Swin's detection code does, True is timm's order. None = True for `embed='patch'`, which is compared
            with timm, False otherwise.
        mlp_ratio: Hidden width of the MLPs over that of the block.
        qkv_bias: Whether queries, keys and values have a bias.
        drop_rate: Dropout after the projections of attention and MLP.
        attn_drop_rate: Dropout of the attention weights.
        drop_path_rate: Stochastic depth of the last block, rising linearly from 0; None takes that of `arch`.
        out_indices: Stages whose maps are returned, 0 to 3, rising; each map passes its own LayerNorm. Stages
            after the last one asked for are not built.
        frozen_stages: -1 = none, 0 = the stem, k = the stem and the first k stages. Frozen parts have no
            gradient and stay in evaluation mode.
        with_cp: Whether blocks are recomputed in the backward pass instead of storing activations; one bool,
            or one per stage.
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
        arch: str | dict[str, Any] = 'tiny',
        *,
        in_channels: int = 3,
        embed: str = 'conv',
        window_size: int | None = None,
        shift_before_pad: bool | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float | None = None,
        out_indices: Sequence[int] = (3,),
        frozen_stages: int = -1,
        with_cp: bool | Sequence[bool] = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        sizes = resolve_arch(arch)
        check_embed(embed)
        with_cp = check_stages(len(sizes['depths']), out_indices, with_cp)
        window_size = sizes['window_size'] if window_size is None else window_size
        attention = dict(
            window_size=window_size,
            shift_before_pad=embed == 'patch' if shift_before_pad is None else shift_before_pad,
            qkv_bias=qkv_bias,
            attn_drop_rate=attn_drop_rate,
            proj_drop_rate=drop_rate,
        )
        rates = drop_path_rates(sizes['drop_path_rate'] if drop_path_rate is None else drop_path_rate, sizes['depths'])
        num_features = list(sizes['embed_dims'])[: out_indices[-1] + 1]
        stages = []
        for stage, (dims, heads) in enumerate(zip(num_features, sizes['num_heads'], strict=False)):
            blocks = [
                CoSwinBlock(WindowAttention(dims, heads, shifted=index % 2 == 1, **attention), dims, mlp_ratio, rate, drop_rate)
                for index, rate in enumerate(rates[stage])
            ]
            stages.append(Stage(_stage_embed(embed, stage, in_channels, sizes), blocks, with_cp[stage]))
        super().__init__(stages, num_features, out_indices=out_indices, frozen_stages=frozen_stages, init_cfg=init_cfg)
        self.window_size = window_size
        init_transformer_weights(self)
        self.register_load_state_dict_pre_hook(adapt_window_checkpoint)
        self._freeze()


def _stage_embed(embed: str, stage: int, in_channels: int, sizes: dict[str, Any]) -> nn.Module:
    dims = sizes['embed_dims'][stage]
    if stage == 0:
        kernel = sizes['stem_kernel'] if embed == 'conv' else sizes['stem_stride']
        return ConvEmbed(in_channels, dims, kernel, sizes['stem_stride'])
    previous = sizes['embed_dims'][stage - 1]
    return ConvEmbed(previous, dims, 3, 2) if embed == 'conv' else PatchMerging(previous, dims)
