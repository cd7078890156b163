"""The image stream without text."""

import pytest
import torch

from florence.models.fusion import METERFusion
from florence.models.vision_language.image_stream import image_stream


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_each_step_is_the_layer_without_its_cross_attention(mode):
    fusion = METERFusion(16, 3, 2, mode=mode).eval()
    image = torch.randn(2, 5, 16)
    stream = image_stream(fusion, image)
    layers = fusion.image_layers if mode == 'co_attention' else fusion.merged_layers
    assert len(stream) == 3 and torch.equal(stream[0], image)
    for before, after, layer in zip(stream, stream[1:], layers, strict=False):
        torch.testing.assert_close(after, layer(before, None))  # a layer without another stream attends to itself only


def test_checkpointing_gives_the_same_gradients():
    image = torch.randn(2, 5, 16)
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        fusion = METERFusion(16, 3, 2, drop_rate=0.0, attn_drop_rate=0.0, with_cp=with_cp)
        torch.stack(image_stream(fusion, image)).square().sum().backward()
        gradients.append(fusion.image_layers[0].mlp.fc1.weight.grad)
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().sum() > 0
