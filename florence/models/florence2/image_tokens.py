"""Feature maps to the image tokens of Florence-2 (arXiv 2311.06242, section 3.1; `image_feature_source` of the release).

Positions in the map and in time are added; the average of each frame and the average over frames at each place, in this order,
are projected to the width of the language model and normalised. At 768 px these are 1 + 576 tokens.

Differs from Microsoft's code: maps need not be square, and clips of several frames work.

Axes: B images, T frames (1 for an image), C channels of the map, D width of the language model.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers import Linear


class MapPositions(nn.Module):
    """Learned position of each place of a map: half of the channels for its column, half for its row.

    Args:
        embed_dims: Channels C.
        max_size: Longest side of a map.
        init_std: Standard deviation of the initial positions.
        stretched_size: Side of the map that the positions were trained on: maps of every size take the positions of this one,
            stretched to theirs. None: a place has the position of its row and column, whatever the size.

    Raises:
        ValueError: If `stretched_size` is not between 1 and `max_size`.
    """

    def __init__(self, embed_dims: int, max_size: int, init_std: float = 0.02, stretched_size: int | None = None) -> None:
        super().__init__()
        if stretched_size is not None and not 1 <= stretched_size <= max_size:
            raise ValueError(
                f'stretched_size={stretched_size} must be the side of the map that positions were trained on, 1 to {max_size}.'
            )
        self.stretched_size = stretched_size
        self.row_embeddings = nn.Embedding(max_size, embed_dims // 2)
        self.column_embeddings = nn.Embedding(max_size, embed_dims - embed_dims // 2)
        for table in (self.row_embeddings, self.column_embeddings):
            nn.init.normal_(table.weight, std=init_std)

    def forward(self, height: int, width: int) -> Tensor:
        """Positions `(H W, C)`.

        Raises:
            ValueError: If the map is larger than the tables.
        """
        if self.stretched_size is not None:
            rows, columns = self._stretched(self.row_embeddings, height), self._stretched(self.column_embeddings, width)
            return self._at_each_place(rows, columns)
        max_size = self.row_embeddings.num_embeddings
        if max(height, width) > max_size:
            raise ValueError(
                f'the map of the image is {height} x {width}, the model has {max_size} positions a side: resize images so that '
                f'no side of their map exceeds {max_size}.'
            )
        return self._at_each_place(self.row_embeddings.weight[:height], self.column_embeddings.weight[:width])

    def _stretched(self, table: nn.Embedding, size: int) -> Tensor:
        trained = table.weight[: self.stretched_size].T[None]  # (1, C / 2, trained size)
        return F.interpolate(trained, size, mode='linear')[0].T

    @staticmethod
    def _at_each_place(rows: Tensor, columns: Tensor) -> Tensor:
        height, width = len(rows), len(columns)
        places = [columns[None].expand(height, -1, -1), rows[:, None].expand(-1, width, -1)]
        return torch.cat(places, 2).flatten(0, 1)  # (H, W, C) -> (H W, C)


class FramePositions(nn.Module):
    """Fixed sines and cosines of the time of a frame.

    Args:
        embed_dims: Channels C, even.
        max_frames: Largest T.
    """

    def __init__(self, embed_dims: int, max_frames: int) -> None:
        super().__init__()
        if embed_dims % 2:
            raise ValueError(f'positions of frames need an even number of channels, got {embed_dims}.')
        half = embed_dims // 2
        frequencies = torch.exp(torch.arange(half).float() * -(math.log(10000) / half))
        angles = torch.arange(max_frames).float()[:, None] * frequencies
        self.register_buffer('pos_idx_to_embed', torch.stack([angles.sin(), angles.cos()], 2).flatten(1))

    def forward(self, num_frames: int) -> Tensor:
        """Positions `(T, C)`.

        Raises:
            ValueError: If there are too many frames.
        """
        if num_frames > len(self.pos_idx_to_embed):
            raise ValueError(f'a clip has {num_frames} frames, the model has positions for {len(self.pos_idx_to_embed)}.')
        return self.pos_idx_to_embed[:num_frames]


class ImageTokens(nn.Module):
    """The projector between the vision tower and the language model.

    Args:
        in_channels: Channels C of the map, even.
        embed_dims: Width D of the tokens.
        max_map_size: Longest side of a map.
        max_frames: Largest number of frames.
        position_std: Standard deviation of the initial positions. The release's 0.02 is lost beside features of size one until a
            long training has found it; a small model starts with larger ones.
        stretched_map_size: Side of the map that the positions were trained on; larger and longer ones stretch them, so that what
            was learned of places holds at another resolution. None, as the release: rows and columns are counted.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        *,
        max_map_size: int = 50,
        max_frames: int = 100,
        position_std: float = 0.02,
        stretched_map_size: int | None = None,
    ) -> None:
        super().__init__()
        self.image_pos_embed = MapPositions(in_channels, max_map_size, position_std, stretched_map_size)
        self.visual_temporal_embed = FramePositions(in_channels, max_frames)
        self.image_projection = Linear(in_channels, embed_dims, bias=False)
        self.image_proj_norm = nn.LayerNorm(embed_dims)
        nn.init.normal_(self.image_projection.weight, std=in_channels**-0.5)

    def forward(self, maps: Tensor) -> Tensor:
        """Tokens `(B, T + H W, D)` of maps `(B, T, C, H, W)`.

        Raises:
            ValueError: If a map is too large or a clip too long.
        """
        num_frames, _, height, width = maps.shape[1:]
        x = maps.flatten(3).transpose(2, 3)  # (B, T, H W, C)
        x = x + self.image_pos_embed(height, width) + self.visual_temporal_embed(num_frames)[:, None]
        # (B, T, C) and (B, H W, C)
        x = torch.cat([x.mean(2), x.mean(1) if num_frames > 1 else x[:, 0]], 1)
        return self.image_proj_norm(self.image_projection(x))
