"""The image stream of METER's fusion without any text: what a caption decoder attends to.

In the fusion each layer of a stream sees the other stream. A decoder must not see tokens to come, and through image tokens that
have seen the whole text it would; so the image tokens pass through the image layers by self-attention and MLP only, the
cross-attention left out, once per image. Layer l of the decoder attends to the image tokens before layer l, as in the fusion.
"""

from torch import Tensor, is_grad_enabled, nn
from torch.utils.checkpoint import checkpoint

from florence.models.fusion import FusionLayer, METERFusion


def image_layers(fusion: METERFusion) -> nn.ModuleList:
    """The layers that image tokens pass through, of either mode of the fusion."""
    return fusion.image_layers if fusion.mode == 'co_attention' else fusion.merged_layers


def text_layers(fusion: METERFusion) -> nn.ModuleList:
    """The layers that text tokens pass through, of either mode of the fusion."""
    return fusion.text_layers if fusion.mode == 'co_attention' else fusion.merged_layers


def image_stream(fusion: METERFusion, image: Tensor) -> list[Tensor]:
    """Image tokens before each layer of the fusion, as many as it has layers, `(B, L_i, D)` each.

    Args:
        fusion: Its last image layer is not needed: nothing attends to its output.
        image: Tokens of the images, `(B, L_i, D)`.
    """
    stream = [image]
    for layer in image_layers(fusion)[:-1]:
        stream.append(
            checkpoint(_alone, layer, stream[-1], use_reentrant=False)
            if fusion.with_cp and is_grad_enabled()
            else _alone(layer, stream[-1])
        )
    return stream


def _alone(layer: FusionLayer, image: Tensor) -> Tensor:
    return layer.transform(layer.attend_self(image, layer.self_attn.keys_values(image)))
