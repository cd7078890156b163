"""Video CoSwin, the video tower of Florence (arXiv 2111.11432, section 2.6): CoSwin with a time axis.

Tubes of frames become tokens, merging looks at neighbouring steps, too, windows span time and are small in the early stages and
large in the late ones, and everything starts from an image tower's weights, so that frames that are all alike give what the
image tower gives of one. Shifted windows of space and time: Video Swin (arXiv 2106.13230).

The paper names no sizes. Ours: tubes of two frames; merging that keeps the number of steps; 2, 4, 8 and 16 steps in a window,
which is the whole of a clip of 32 frames in the last stage; kernels over time of three steps in each merging, in CoSwin-H's in
the first alone. It has 643.6 M parameters with windows of 7 x 7 and 652.1 M with 12 x 12; the paper's has 647 M. What moves the
count: kernels over time in every merging would make it 690.8 M, in none 641.3 M; windows of 8 x 12 x 12 in all stages 651.2 M.

Differs from the official Video Swin in: what `florence.layers.window_attention_3d` says. `embed='patch'` is Video Swin itself and
takes its weights (`florence.models.converters.swin`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from florence.layers import drop_path_rates, init_transformer_weights
from florence.layers.conv_embed_3d import ConvEmbed3d, FrameMerging
from florence.layers.window_attention_3d import WindowAttention3d
from florence.models.backbones.coswin_archs import check_embed, resolve_arch
from florence.models.backbones.coswin_block import CoSwinBlock
from florence.models.backbones.inflation import INFLATIONS, inflate_checkpoint
from florence.models.backbones.stage_trunk import Stage, StageTrunk, check_stages
from florence.registry import MODELS

TIME_WINDOWS = (2, 4, 8, 16)
"""Steps in a window of each stage."""


@MODELS.register_module()
class VideoCoSwin(StageTrunk):
    """Clips -> maps of space and time.

    Args:
        arch: As of `CoSwin`; a dict may have `merge_time_kernels` (3, 3, 3), the kernel over time of each merging, odd.
        in_channels: Channels of the frames.
        embed: 'conv' = convolutional embeddings, 'patch' = Video Swin's: merging is linear and frame by frame.
        tube_size: Frames of a tube; a clip whose frames do not fill the last one has its last frame repeated.
        window_size: Windows of the stages, each `(steps, rows, columns)`; a number is the rows and columns of all, with 2, 4, 8
            and 16 steps; None = the side that `arch` names.
        shift_before_pad: As of `CoSwin`, where True is the default of `embed='patch'`; False is what Video Swin does.
        mlp_ratio: Hidden width of the MLPs over that of the block.
        qkv_bias: Whether queries, keys and values have a bias.
        drop_rate: Dropout after the projections of attention and MLP.
        attn_drop_rate: Dropout of the attention weights.
        drop_path_rate: Stochastic depth of the last block, rising linearly from 0; None takes that of `arch`.
        out_indices: Stages whose maps are returned, 0 to 3, rising.
        frozen_stages: As of `CoSwin`.
        with_cp: Whether blocks are recomputed in the backward pass; one bool, or one per stage.
        inflation: How the kernels of an image tower become kernels over time: 'average' spreads them, 'center' gives them to the
            middle step. Frames that are all alike see no difference.
        init_cfg: Initialisation of mmengine; `dict(type='Pretrained', checkpoint=...)` takes an image tower's weights as well.

    Raises:
        ValueError: If `arch` is unknown or incomplete, or an argument is out of its range.
    """

    def __init__(
        self,
        arch: str | dict[str, Any] = 'tiny',
        *,
        in_channels: int = 3,
        embed: str = 'conv',
        tube_size: int = 2,
        window_size: int | Sequence[Sequence[int]] | None = None,
        shift_before_pad: bool = False,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float | None = None,
        out_indices: Sequence[int] = (3,),
        frozen_stages: int = -1,
        with_cp: bool | Sequence[bool] = False,
        inflation: str = 'average',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        sizes = resolve_arch(arch)
        check_embed(embed)
        with_cp = check_stages(len(sizes['depths']), out_indices, with_cp)
        windows = stage_windows(sizes['window_size'] if window_size is None else window_size, len(sizes['depths']))
        if tube_size < 1:
            raise ValueError(f'tube_size must be 1 or more, got {tube_size}.')
        if inflation not in INFLATIONS:
            raise ValueError(f'inflation must be one of {INFLATIONS}, got {inflation!r}.')
        attention = dict(
            shift_before_pad=shift_before_pad,
            qkv_bias=qkv_bias,
            attn_drop_rate=attn_drop_rate,
            proj_drop_rate=drop_rate,
        )
        rates = drop_path_rates(sizes['drop_path_rate'] if drop_path_rate is None else drop_path_rate, sizes['depths'])
        num_features = list(sizes['embed_dims'])[: out_indices[-1] + 1]
        stages = []
        for stage, (dims, heads) in enumerate(zip(num_features, sizes['num_heads'], strict=False)):
            blocks = [
                CoSwinBlock(
                    WindowAttention3d(dims, heads, windows[stage], shifted=index % 2 == 1, **attention),
                    dims,
                    mlp_ratio,
                    rate,
                    drop_rate,
                )
                for index, rate in enumerate(rates[stage])
            ]
            stage_embed = _stage_embed(embed, stage, in_channels, tube_size, sizes)
            stages.append(Stage(stage_embed, blocks, with_cp[stage]))
        super().__init__(stages, num_features, out_indices=out_indices, frozen_stages=frozen_stages, init_cfg=init_cfg)
        self.tube_size = tube_size
        self.inflation = inflation
        init_transformer_weights(self)
        self.register_load_state_dict_pre_hook(inflate_checkpoint)
        self._freeze()

    def forward(self, clips: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        """Clips `(B, in_channels, T, H, W)` of any length and size -> the map `(B, C, T', H', W')`, `T' = ceil(T / tube_size)`,
        or one per entry of `out_indices` where there are several.

        Raises:
            ValueError: If the clips have no five axes, or no frame.
        """
        if clips.ndim != 5 or not clips.shape[2]:
            raise ValueError(f'VideoCoSwin takes clips (B, C, T, H, W) of one frame or more, got {tuple(clips.shape)}.')
        outputs = super().forward(clips)
        return outputs[0] if len(outputs) == 1 else outputs

    def inflate_from(self, state_dict_2d: Mapping[str, Tensor]) -> None:
        """Load the weights of a `CoSwin` of the same `arch`.

        Args:
            state_dict_2d: Its state dict.

        Raises:
            RuntimeError: If names or shapes do not fit.
        """
        self.load_state_dict(dict(state_dict_2d))


def stage_windows(window_size: int | Sequence[Sequence[int]], num_stages: int) -> list[tuple[int, int, int]]:
    """The window of each stage.

    Args:
        window_size: A side for all, or `(steps, rows, columns)` for each stage.
        num_stages: Number of stages.

    Raises:
        ValueError: If they are not as many as the stages, or no three positive numbers.
    """
    if isinstance(window_size, int):
        window_size = [(TIME_WINDOWS[min(stage, len(TIME_WINDOWS) - 1)], window_size, window_size) for stage in range(num_stages)]
    windows = [tuple(window) if not isinstance(window, int) else (window,) for window in window_size]
    if len(windows) != num_stages or any(len(window) != 3 or min(window) < 1 for window in windows):
        raise ValueError(
            f'window_size must be one number or (steps, rows, columns) for each of {num_stages} stages, got {window_size}.'
        )
    return windows  # type: ignore[return-value]


def _stage_embed(embed: str, stage: int, in_channels: int, tube_size: int, sizes: dict[str, Any]) -> nn.Module:
    dims = sizes['embed_dims'][stage]
    if stage == 0:
        kernel = sizes['stem_kernel'] if embed == 'conv' else sizes['stem_stride']
        return ConvEmbed3d(in_channels, dims, kernel, sizes['stem_stride'], tube_size, tube_size)
    previous = sizes['embed_dims'][stage - 1]
    if embed == 'patch':
        return FrameMerging(previous, dims)
    return ConvEmbed3d(previous, dims, 3, 2, sizes['merge_time_kernels'][stage - 1])
