"""A backbone that is not trained: no gradient, no change of mode, and features from the disk where they were computed before.

Florence pretrains and transfers its Dynamic Head with the image encoder frozen (arXiv 2111.11432, section 3.6). Without a graph
through the encoder a step needs neither its activations nor its backward pass; with a cache, where the pipeline shows the same
pixels again (fixed size, a flip, a few scales), not even its forward pass.
"""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from florence.models.backbones.feature_cache import DTYPES, FeatureCache, weights_fingerprint
from florence.models.hidden_level import hide_level
from florence.registry import MODELS


@MODELS.register_module()
class FrozenBackbone(BaseModule):
    """Wraps any backbone. Its state dict is that of the backbone, without a further level in the names.

    Args:
        backbone: Config of the backbone, or the module: `(B, 3, H, W)` -> tuple of `(B, C_i, H_i, W_i)`.
        cache: Arguments of `FeatureCache`; None: features are computed at every step. Padding counts as image: batches of
            images of several sizes find little again.
        autocast: 'bfloat16' or 'float16': the encoder computes in half precision, the maps are float32; None: as the rest.

    Raises:
        ValueError: If `autocast` is unknown.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        *,
        cache: dict | None = None,
        autocast: str | None = None,
    ) -> None:
        super().__init__()
        if autocast is not None and autocast not in DTYPES:
            raise ValueError(f'FrozenBackbone: autocast must be one of {tuple(DTYPES)} or None, got {autocast!r}.')
        self.backbone = MODELS.build(backbone) if isinstance(backbone, dict) else backbone
        self.backbone.requires_grad_(False).eval()
        self.cache = FeatureCache(**cache) if cache is not None else None
        self.autocast = autocast
        self._fingerprint: str | None = None
        hide_level(self, 'backbone')
        self.register_load_state_dict_pre_hook(_forget_fingerprint)

    @property
    def embed_dims(self) -> int:
        """Channels of the last map."""
        return self.backbone.embed_dims

    def train(self, mode: bool = True) -> 'FrozenBackbone':
        """Sets the own mode only: the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The backbone's maps of images `(B, 3, H, W)`, computed or read."""
        if self.cache is None:
            return self._compute(images)
        if self._fingerprint is None:
            self._fingerprint = weights_fingerprint(self.backbone)
        keys = [self.cache.key(image, f'{self._fingerprint}{self._precision(images)}') for image in images]
        maps = {index: found for index, key in enumerate(keys) if (found := self.cache.read(key)) is not None}
        missing = [index for index in range(len(keys)) if index not in maps]
        if missing:
            computed = self._compute(images[missing])
            for row, index in enumerate(missing):
                maps[index] = [level[row] for level in computed]
                self.cache.write(keys[index], maps[index])
        by_image = [maps[index] for index in range(len(keys))]
        # (C_i, H_i, W_i) per image -> (B, C_i, H_i, W_i) per level
        return tuple(torch.stack([level.to(images) for level in levels]) for levels in zip(*by_image, strict=True))

    def _precision(self, images: Tensor) -> str | None:
        """In what the encoder computes: features of one precision must not be found in a run of another."""
        device = images.device.type
        return self.autocast or (str(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else None)

    def _compute(self, images: Tensor) -> tuple[Tensor, ...]:
        if self.autocast is None:
            return tuple(self.backbone(images))
        with torch.autocast(images.device.type, DTYPES[self.autocast]):
            return tuple(level.to(images.dtype) for level in self.backbone(images))


def _forget_fingerprint(module: FrozenBackbone, *_: object) -> None:
    module._fingerprint = None
