"""What towers of stages share: outputs, frozen parts, depths of parameters, checks of what they are given.

Maps are channels-last: `(B, H, W, C)` for images, `(B, T, H, W, C)` for clips.
"""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from florence.layers import Fp32LayerNorm


class Stage(nn.Module):
    """An embedding that lowers the resolution, then blocks.

    Args:
        embed: Makes the tokens.
        blocks: What they pass.
        with_cp: Whether blocks are recomputed in the backward pass.
    """

    def __init__(self, embed: nn.Module, blocks: list[nn.Module], with_cp: bool) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.ModuleList(blocks)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C_in)` to `(B, ceil(H / stride), ceil(W / stride), C)`, with a time axis after B for clips."""
        x = self.embed(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.with_cp and self.training else block(x)
        return x


class StageTrunk(BaseModule):
    """Stages one after the other, maps of some of them.

    Args:
        stages: As many as lead to the last output.
        num_features: Channels of each of them.
        out_indices: Stages whose maps are returned.
        out_norms: Whether each map that is returned passes a LayerNorm of its own.
        frozen_stages: -1 = none, 0 = the stem, k = the stem and the first k stages. Frozen parts have no gradient and stay in
            evaluation mode.
        init_cfg: Initialisation of mmengine.

    Attributes:
        embed_dims: Channels of the last output.
        out_channels: Channels of every output.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        num_features: Sequence[int],
        *,
        out_indices: Sequence[int],
        out_norms: bool = True,
        frozen_stages: int,
        init_cfg: dict | list[dict] | None,
    ) -> None:
        super().__init__(init_cfg)
        assert len(stages) == len(num_features) == out_indices[-1] + 1
        if not -1 <= frozen_stages <= len(stages):
            raise ValueError(f'frozen_stages must lie in -1 .. {len(stages)}, got {frozen_stages}.')
        self.out_indices = tuple(out_indices)
        self.num_features = list(num_features)
        self.out_channels = [self.num_features[index] for index in self.out_indices]
        self.embed_dims = self.out_channels[-1]
        self.frozen_stages = frozen_stages
        self.stages = nn.ModuleList(stages)
        for index in self.out_indices:
            self.add_module(f'norm{index}', Fp32LayerNorm(self.num_features[index]) if out_norms else nn.Identity())

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Images `(B, in_channels, H, W)` or clips `(B, in_channels, T, H, W)` of any size -> one map `(B, C_i, ..., H_i, W_i)`
        per entry of `out_indices`, `H_i = ceil(H / stride_i)`; the memory format of the maps is channels-last.
        """
        x = inputs.movedim(1, -1)
        outputs = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                outputs.append(self.get_submodule(f'norm{index}')(x).movedim(-1, 1))
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

    def train(self, mode: bool = True) -> 'StageTrunk':
        """Sets the mode of all parts but the frozen ones, which stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *arguments)  # runs the hooks that adapt the weights to this tower
        for name, own in self.state_dict(keep_vars=True).items():
            found = state_dict.get(prefix + name)
            shape = tuple(getattr(own, 'ds_shape', own.shape))  # ZeRO-3 keeps a part of it
            if found is not None and tuple(found.shape) != shape:
                raise ValueError(
                    f'{prefix}{name} of the checkpoint is {tuple(found.shape)}, expected {shape}: it is of another '
                    f'arch than this {type(self).__name__}; give the arch that it was trained with, or another checkpoint.'
                )

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        norms = [getattr(self, f'norm{index}') for index in self.out_indices if index < self.frozen_stages]
        return [self.stages[0].embed, *self.stages[: self.frozen_stages], *norms]

    def _freeze(self) -> None:
        for module in self._frozen_modules():
            module.eval().requires_grad_(False)


def check_stages(num_stages: int, out_indices: Sequence[int], with_cp: bool | Sequence[bool]) -> list[bool]:
    """Check what all towers are given.

    Args:
        num_stages: Of the arch.
        out_indices: Stages whose maps are returned.
        with_cp: One bool, or one per stage.

    Returns:
        Whether blocks are recomputed, per stage.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if not out_indices or list(out_indices) != sorted(set(out_indices) & set(range(num_stages))):
        raise ValueError(f'out_indices must rise within 0 .. {num_stages - 1}, got {tuple(out_indices)}.')
    with_cp = [with_cp] * num_stages if isinstance(with_cp, bool) else list(with_cp)
    if len(with_cp) != num_stages:
        raise ValueError(f'with_cp must be one bool or {num_stages}, got {len(with_cp)}.')
    return with_cp
