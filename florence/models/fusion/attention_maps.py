"""What the words of a text attend to in an image: the weights of the fusion's attention, which its fused kernel does not give.

The weights are computed once more from the inputs of each attention while the fusion runs; they are exact, before dropout. METER
(arXiv 2111.02387) shows none; they are the usual way to look into a fusion (ViLT, arXiv 2102.03334, figure 4).

Axes: B batch, H heads, L_t text tokens, L_i image tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from florence.models.fusion.fusion_layer import Attention, KeysValues
from florence.models.fusion.meter_fusion import METERFusion


@torch.no_grad()
def cross_attention_weights(fusion: METERFusion, text: Tensor, image: Tensor, text_mask: Tensor | None = None) -> Tensor:
    """How much each text token attends to each image token, in every layer and head.

    In co-attention the weights of a text token over the image sum to 1. In merged attention, where the token attends to the text,
    too, they sum to the share that the image gets.

    Args:
        fusion: The fusion, in evaluation mode.
        text, image, text_mask: As the fusion takes them.

    Returns:
        `(num_layers, B, H, L_t, L_i)`; the rows of padded tokens carry no meaning.
    """
    merged = fusion.mode == 'merged_attention'
    layers = fusion.merged_layers if merged else fusion.text_layers
    found: list[Tensor] = []

    def note(attention: nn.Module, inputs: tuple[Tensor, KeysValues, Tensor | None]) -> None:
        assert isinstance(attention, Attention)
        weights = attention_weights(attention, *inputs)
        found.append(weights[:, :, : text.shape[1], text.shape[1] :] if merged else weights)

    attentions: list[nn.Module] = [layer.self_attn if merged else layer.cross_attn for layer in layers]  # type: ignore[misc]
    hooks = [attention.register_forward_pre_hook(note) for attention in attentions]
    try:
        fusion(text, image, text_mask, None)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found)


def attention_weights(attention: Attention, x: Tensor, keys_values: KeysValues, mask: Tensor | None = None) -> Tensor:
    """The weights of one attention, `(B, H, L, L_memory)` fp32; each row sums to 1.

    Args:
        attention: The attention.
        x, keys_values, mask: As it takes them.
    """
    queries = attention.query(x).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)  # (B, L, D) -> (B, H, L, d)
    scores = queries.float() @ keys_values[0].float().transpose(-2, -1) * queries.shape[-1] ** -0.5
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


def heat_over_image(weights: Tensor, grids: Sequence[tuple[int, int]], size: tuple[int, int]) -> Tensor:
    """Weights of image tokens as a picture: what each pixel gets, 1 = what it would get if all pixels got the same.

    A token's weight is spread evenly over its cell; where tokens come from several feature maps, their pictures are added.

    Args:
        weights: `(..., L_i)`.
        grids: Rows and columns of each feature map, in the order of the tokens.
        size: Height and width of the picture, pixels.

    Returns:
        `(..., H, W)`; its mean is the sum of the weights where the cells divide the picture evenly.

    Raises:
        ValueError: If the maps have not as many cells as there are weights.
    """
    cells = [rows * columns for rows, columns in grids]
    if sum(cells) != weights.shape[-1]:
        raise ValueError(f'feature maps of {list(grids)} cells have {sum(cells)} tokens, got weights of {weights.shape[-1]}.')
    heat = weights.new_zeros(*weights.shape[:-1], *size)
    for part, (rows, columns) in zip(weights.split(cells, -1), grids, strict=True):
        row = (torch.arange(size[0]) * rows // size[0])[:, None]
        column = torch.arange(size[1]) * columns // size[1]
        heat += part.unflatten(-1, (rows, columns))[..., row, column] * (rows * columns)  # (..., rows, columns) -> (..., H, W)
    return heat
