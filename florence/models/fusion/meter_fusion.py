"""METER's fusion of text and image tokens, Florence's vision-language adapter (arXiv 2111.11432, section 2.5).

Source: METER (arXiv 2111.02387, section 3.2, figure 2). Co-attention: two streams with weights of their own, each layer attends
to the other stream as it was before that layer. Merged attention: one stack of self-attention over both sequences; the paper
compares it, the official release lacks it.
"""

from functools import partial

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from florence.models.fusion.fusion_layer import FusionLayer
from florence.registry import MODELS

MODES = ('co_attention', 'merged_attention')


@MODELS.register_module()
class METERFusion(BaseModule):
    """Fuses text tokens and image tokens.

    Args:
        embed_dims: Width D of both sequences.
        num_layers: Layers of each stream, or of the one stack; METER's merged form has 12 where the other has 6.
        num_heads: Attention heads.
        mlp_dims: Hidden width of the MLPs; None = 4 D.
        mode: 'co_attention' or 'merged_attention'.
        drop_rate, attn_drop_rate: Dropout of the parts and of the attention weights.
        norm_eps: Epsilon of the LayerNorms.
        init_std: Standard deviation of the initial weights; METER's 0.02 suits a width of 768, a narrow fusion learns faster from
            larger ones.
        with_cp: Compute each layer again in the backward pass instead of storing its activations.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If the mode is unknown or the heads do not divide the width.
    """

    def __init__(
        self,
        embed_dims: int = 768,
        num_layers: int = 6,
        num_heads: int = 12,
        mlp_dims: int | None = None,
        *,
        mode: str = 'co_attention',
        drop_rate: float = 0.1,
        attn_drop_rate: float = 0.1,
        norm_eps: float = 1e-12,
        init_std: float = 0.02,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if mode not in MODES:
            raise ValueError(f'METERFusion: mode must be one of {MODES}, got {mode!r}.')
        self.embed_dims, self.mode, self.with_cp = embed_dims, mode, with_cp
        co_attention = mode == 'co_attention'

        def stack() -> nn.ModuleList:
            return nn.ModuleList(
                FusionLayer(
                    embed_dims, num_heads, mlp_dims or 4 * embed_dims, drop_rate=drop_rate, attn_drop_rate=attn_drop_rate,
                    norm_eps=norm_eps, cross_attention=co_attention,
                )
                for _ in range(num_layers)
            )  # fmt: skip

        if co_attention:
            self.text_layers, self.image_layers = stack(), stack()
        else:
            self.merged_layers = stack()
        self.apply(partial(init_bert_weights, std=init_std))

    def forward(
        self, text: Tensor, image: Tensor, text_mask: Tensor | None = None, image_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Fuse.

        Args:
            text: `(B, L_t, D)`.
            image: `(B, L_i, D)`.
            text_mask: `(B, L_t)`, 1 = keep; None keeps all. The features of padded positions carry no meaning.
            image_mask: `(B, L_i)`, likewise.

        Returns:
            Text and image tokens of the input's shapes.

        Raises:
            ValueError: If shapes do not fit.
        """
        self._check(text, image, text_mask, image_mask)
        if self.mode == 'merged_attention':
            return self._merged(text, image, text_mask, image_mask)
        text_keep, image_keep = _attendable(text_mask), _attendable(image_mask)
        for text_layer, image_layer in zip(self.text_layers, self.image_layers, strict=True):
            text, image = (
                self._run(text_layer, text, image, text_keep, image_keep),
                self._run(image_layer, image, text, image_keep, text_keep),
            )
        return text, image

    def _merged(self, text: Tensor, image: Tensor, text_mask: Tensor | None, image_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        length = text.shape[1]
        keep = None
        if text_mask is not None or image_mask is not None:
            masks = [
                torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask.bool()
                for x, mask in ((text, text_mask), (image, image_mask))
            ]
            keep = _attendable(torch.cat(masks, 1))
        x = torch.cat([text, image], 1)  # (B, L_t + L_i, D)
        for layer in self.merged_layers:
            x = self._run(layer, x, None, keep, None)
        return x[:, :length], x[:, length:]

    def _run(self, layer: nn.Module, *inputs: Tensor | None) -> Tensor:
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(layer, *inputs, use_reentrant=False)
        return layer(*inputs)

    def _check(self, text: Tensor, image: Tensor, text_mask: Tensor | None, image_mask: Tensor | None) -> None:
        for name, x, mask in (('text', text, text_mask), ('image', image, image_mask)):
            if x.dim() != 3 or x.shape[2] != self.embed_dims or len(x) != len(text):
                raise ValueError(
                    f'METERFusion needs text and image tokens of shape (B, L, {self.embed_dims}), got {name} of shape '
                    f'{tuple(x.shape)}.'
                )
            if mask is not None and mask.shape != x.shape[:2]:
                raise ValueError(f'{name}_mask must have shape {tuple(x.shape[:2])}, got {tuple(mask.shape)}.')


def init_bert_weights(module: nn.Module, std: float = 0.02) -> None:
    """BERT's initialisation of one module, for `nn.Module.apply`: normal weights, zero biases.

    Args:
        module: Changed where it is a linear layer or an embedding.
        std: Standard deviation of the weights.
    """
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=std)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _attendable(mask: Tensor | None) -> Tensor | None:
    """`(B, L)` -> `(B, 1, 1, L)` bool, for every head and query."""
    return None if mask is None else mask[:, None, None, :].bool()
