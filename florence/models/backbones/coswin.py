"""CoSwin, the image tower of Florence (arXiv 2111.11432, section 2.3): a Swin transformer (arXiv 2103.14030)
whose patch embedding and patch merging are CvT's convolutional embeddings (arXiv 2103.15808).

The paper names no sizes; `florence.models.backbones.coswin_archs` says where ours come from. Global average
pooling belongs to the model that owns the tower.

Differs from the official Swin in: any input size; the smaller windows of small maps use the bias table's true
offsets. `embed='patch'` is Swin itself and takes official weights (`florence.models.converters.swin`).
"""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from florence.layers import (
    ConvEmbed,
    DropPath,
    Fp32LayerNorm,
    Mlp,
    PatchMerging,
    WindowAttention,
    drop_path_rates,
    init_transformer_weights,
)
from florence.models.backbones.coswin_archs import resolve_arch
from florence.models.backbones.window_checkpoint import adapt_window_checkpoint
from florence.registry import MODELS

EMBEDS = ('conv', 'patch')


class CoSwinBlock(nn.Module):
    """Window attention and MLP, each after a LayerNorm and around a residual path.

    Args:
        embed_dims: Channels.
        mlp_ratio: Hidden width of the MLP over `embed_dims`.
        drop_path: Rate of stochastic depth.
        drop_rate: Dropout after the projections.
        attention: Further arguments of `WindowAttention`.
    """

    def __init__(self, embed_dims: int, mlp_ratio: float, drop_path: float, drop_rate: float, **attention: Any) -> None:
        super().__init__()
        self.norm1 = Fp32LayerNorm(embed_dims)
        self.attn = WindowAttention(embed_dims, proj_drop_rate=drop_rate, **attention)
        self.norm2 = Fp32LayerNorm(embed_dims)
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio), drop_rate=drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CoSwinStage(nn.Module):
    """An embedding that lowers the resolution, then blocks whose windows are shifted in every second one."""

    def __init__(self, embed: nn.Module, blocks: list[CoSwinBlock], with_cp: bool) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.ModuleList(blocks)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C_in)` to `(B, ceil(H / stride), ceil(W / stride), C)`."""
        x = self.embed(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.with_cp and self.training else block(x)
        return x


@MODELS.register_module()
class CoSwin(BaseModule):
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
        super().__init__(init_cfg)
        sizes = resolve_arch(arch)
        num_stages = len(sizes['depths'])
        if embed not in EMBEDS:
            raise ValueError(f'embed must be one of {EMBEDS}, got {embed!r}.')
        if not out_indices or list(out_indices) != sorted(set(out_indices) & set(range(num_stages))):
            raise ValueError(f'out_indices must rise within 0 .. {num_stages - 1}, got {tuple(out_indices)}.')
        if not -1 <= frozen_stages <= out_indices[-1] + 1:
            raise ValueError(f'frozen_stages must lie in -1 .. {out_indices[-1] + 1}, got {frozen_stages}.')
        with_cp = [with_cp] * num_stages if isinstance(with_cp, bool) else list(with_cp)
        if len(with_cp) != num_stages:
            raise ValueError(f'with_cp must be one bool or {num_stages}, got {len(with_cp)}.')

        self.window_size = sizes['window_size'] if window_size is None else window_size
        self.out_indices = tuple(out_indices)
        self.num_features = list(sizes['embed_dims'])[: self.out_indices[-1] + 1]
        self.out_channels = [self.num_features[index] for index in self.out_indices]
        self.embed_dims = self.out_channels[-1]
        self.frozen_stages = frozen_stages

        if drop_path_rate is None:
            drop_path_rate = sizes['drop_path_rate']
        rates = drop_path_rates(drop_path_rate, sizes['depths'])
        block_args = dict(
            mlp_ratio=mlp_ratio,
            drop_rate=drop_rate,
            window_size=self.window_size,
            shift_before_pad=embed == 'patch' if shift_before_pad is None else shift_before_pad,
            qkv_bias=qkv_bias,
            attn_drop_rate=attn_drop_rate,
        )
        self.stages = nn.ModuleList()
        for stage, dims in enumerate(self.num_features):
            heads = sizes['num_heads'][stage]
            blocks = [
                CoSwinBlock(dims, num_heads=heads, shifted=index % 2 == 1, drop_path=rate, **block_args)
                for index, rate in enumerate(rates[stage])
            ]
            stage_embed = _stage_embed(embed, stage, in_channels, sizes)
            self.stages.append(CoSwinStage(stage_embed, blocks, with_cp[stage]))
        for index in self.out_indices:
            self.add_module(f'norm{index}', Fp32LayerNorm(self.num_features[index]))

        init_transformer_weights(self)
        self.register_load_state_dict_pre_hook(adapt_window_checkpoint)
        self._freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images `(B, in_channels, H, W)` of any size -> one map `(B, C_i, H_i, W_i)` per entry of
        `out_indices`, `H_i = ceil(H / stride_i)`; the memory format of the maps is channels-last.
        """
        x = images.permute(0, 2, 3, 1)
        outputs = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                outputs.append(self.get_submodule(f'norm{index}')(x).permute(0, 3, 1, 2))
        return tuple(outputs)

    def parameter_depth(self, name: str) -> tuple[int, int]:
        """How deep a parameter lies: 0 for the stem, then one more per block; its largest value, for what follows the last block.

        Args:
            name: As in `named_parameters`.
        """
        depths = [len(stage.blocks) for stage in self.stages]
        top = sum(depths) + 1
        kind, *parts = name.split('.')
        if kind != 'stages':
            return top, top
        stage, in_block = int(parts[0]), parts[1] == 'blocks'
        before = sum(depths[:stage])
        if not in_block:
            return (before + 1 if stage else 0), top
        return before + 1 + int(parts[2]), top

    def train(self, mode: bool = True) -> 'CoSwin':
        """Sets the mode of all parts but the frozen ones, which stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        norms = [getattr(self, f'norm{index}') for index in self.out_indices if index < self.frozen_stages]
        return [self.stages[0].embed, *self.stages[: self.frozen_stages], *norms]

    def _freeze(self) -> None:
        for module in self._frozen_modules():
            module.eval().requires_grad_(False)


def _stage_embed(embed: str, stage: int, in_channels: int, sizes: dict[str, Any]) -> nn.Module:
    dims = sizes['embed_dims'][stage]
    if stage == 0:
        kernel = sizes['stem_kernel'] if embed == 'conv' else sizes['stem_stride']
        return ConvEmbed(in_channels, dims, kernel, sizes['stem_stride'])
    previous = sizes['embed_dims'][stage - 1]
    return ConvEmbed(previous, dims, 3, 2) if embed == 'conv' else PatchMerging(previous, dims)
