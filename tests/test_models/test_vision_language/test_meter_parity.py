"""The whole of METER equals transformers' BridgeTower with one fusion layer, and a hand-written loop of its layers with more."""

import pytest
import torch
from meter_models import small_encoder
from torch import nn

from florence.models.converters.meter import meter_to_florence
from florence.models.converters.swin import florence_to_swin
from florence.models.fusion import METERFusion
from florence.models.language import RobertaEncoder
from florence.models.vision_language import METEREncoder

D, VOCAB, TEXT_LAYERS = 64, 300, 2


class MapsOf(nn.Module):
    """BridgeTower's image tokens as one map of one column, so that our encoder sees them as the cells of a map."""

    out_channels = (D,)

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, images):
        tokens = self.visual.forward_pre(images)
        for block in self.visual.transformer.resblocks:
            tokens = block(tokens)
        return (self.visual.forward_post(tokens).transpose(1, 2)[..., None],)  # (B, L, C) -> (B, C, L, 1)


def bridge_tower(num_layers: int) -> nn.Module:
    from transformers import BridgeTowerConfig, BridgeTowerModel, BridgeTowerTextConfig, BridgeTowerVisionConfig

    text = BridgeTowerTextConfig(
        vocab_size=VOCAB, hidden_size=D, num_hidden_layers=TEXT_LAYERS, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=22, layer_norm_eps=1e-5,
    )  # fmt: skip
    vision = BridgeTowerVisionConfig(hidden_size=D, num_hidden_layers=TEXT_LAYERS, patch_size=8, image_size=24)
    config = BridgeTowerConfig(
        hidden_size=D, num_hidden_layers=num_layers, num_attention_heads=4, text_config=text, vision_config=vision
    )
    # Under 'sdpa' the image stream, which gets no mask, would turn causal.
    for part in (config, config.text_config, config.vision_config):
        part._attn_implementation = 'eager'
    model = BridgeTowerModel(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.15)
    model.cross_modal_text_layernorm = model.cross_modal_image_layernorm = nn.Identity()  # METER has none
    for layer in [*model.cross_modal_text_layers, *model.cross_modal_image_layers]:
        for module in layer.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-12
    return model


def ours_of(peer: nn.Module, num_layers: int) -> METEREncoder:
    """Our encoder with the weights of the peer, through the converter of METER's checkpoints: the names are the same."""
    encoder = METEREncoder(
        MapsOf(peer.vision_model.visual),
        RobertaEncoder(vocab_size=VOCAB, embed_dims=D, num_layers=TEXT_LAYERS, num_heads=4, mlp_dims=96, context_length=20),
        dict(type='florence.TrainedBPE', vocab_size=VOCAB),
        METERFusion(D, num_layers, 4, 96),
    ).eval()
    official = {
        key.replace('text_model.', 'text_transformer.'): value
        for key, value in peer.state_dict().items()
        if not key.startswith('vision_model.') and 'link_tower' not in key
    }
    # The converter wants an image tower, which is taken from the peer itself here.
    official |= {
        f'vit_model.{key}': value
        for key, value in florence_to_swin(small_encoder(embed='patch').image_tower.state_dict()).items()
    }
    converted = {key: value for key, value in meter_to_florence(official).items() if not key.startswith('encoder.image_tower.')}
    missing, unexpected = encoder.load_state_dict({key.removeprefix('encoder.'): v for key, v in converted.items()}, strict=False)
    assert not unexpected and all(key.startswith(('image_tower.', 'tokenizer.')) for key in missing)
    return encoder


@pytest.fixture
def batch():
    mask = (torch.arange(9) < torch.tensor([9, 5, 3])[:, None]).long()
    ids = torch.randint(4, VOCAB, (3, 9)).masked_fill(mask == 0, 1)
    return ids, mask, torch.randn(3, 3, 24, 24)


def fused(encoder: METEREncoder, ids, mask, images):
    text, text_mask = encoder.encode_tokens(ids, mask)
    return encoder.fuse(text, encoder.encode_image(images), text_mask)


@torch.no_grad()
def test_one_fusion_layer_equals_bridgetower(batch):
    ids, mask, images = batch
    peer = bridge_tower(1)
    encoder = ours_of(peer, 1)
    expected = peer(input_ids=ids, attention_mask=mask, pixel_values=images)
    text, image = fused(encoder, ids, mask, images)
    assert image.shape == (3, 10, D)
    assert (text - expected.text_features)[mask.bool()].abs().max() < 1e-5
    assert (image - expected.image_features).abs().max() < 1e-5
    pooled = encoder.pool(text, image)
    assert (pooled[:, :D] - expected.pooler_output[:, :D]).abs().max() < 1e-5
    # A Swin has no class token: METER pools the mean of its tokens.
    mean = peer.cross_modal_image_pooler(expected.image_features.mean(1, keepdim=True))
    assert (pooled[:, D:] - mean).abs().max() < 1e-5


@torch.no_grad()
def test_three_fusion_layers_equal_a_loop_of_bridgetowers(batch):
    ids, mask, images = batch
    peer = bridge_tower(3)
    encoder = ours_of(peer, 3)
    text = peer.text_model(input_ids=ids, attention_mask=mask).last_hidden_state
    x = peer.cross_modal_text_transform(text) + peer.token_type_embeddings.weight[0]
    cells = encoder.image_tower(images)[0].flatten(2).transpose(1, 2)
    y = peer.cross_modal_image_transform(cells) + peer.token_type_embeddings.weight[1]
    text_mask = torch.zeros(3, 1, 1, 9).masked_fill(~mask[:, None, None].bool(), torch.finfo(torch.float32).min)
    image_mask = torch.zeros(3, 1, 1, 10)
    for text_layer, image_layer in zip(peer.cross_modal_text_layers, peer.cross_modal_image_layers, strict=True):
        x, y = text_layer(x, y, text_mask, image_mask)[0], image_layer(y, x, image_mask, text_mask)[0]
    found_text, found_image = fused(encoder, ids, mask, images)
    assert (found_text - x)[mask.bool()].abs().max() < 1e-5
    assert (found_image - y).abs().max() < 1e-5


@torch.no_grad()
def test_heads_equal_bridgetowers(batch):
    from transformers.models.bridgetower.modeling_bridgetower import BridgeTowerITMHead, BridgeTowerMLMHead

    from florence.models.heads import PretrainHead

    config = bridge_tower(1).config
    config.text_config.layer_norm_eps = config.layer_norm_eps = 1e-12
    mlm, itm, head = BridgeTowerMLMHead(config), BridgeTowerITMHead(2 * D), PretrainHead(VOCAB, D)
    for module in (mlm, itm):
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.2)
    head.mlm.dense.load_state_dict(mlm.transform.dense.state_dict())
    head.mlm.norm.load_state_dict(mlm.transform.LayerNorm.state_dict())
    head.mlm.decoder.load_state_dict(mlm.decoder.state_dict())
    head.mlm.bias.copy_(mlm.bias)
    head.itm.fc.load_state_dict(itm.fc.state_dict())
    tokens, features = torch.randn(4, 5, D), torch.randn(4, 2 * D)
    assert (head.mlm(tokens) - mlm(tokens)).abs().max() < 1e-5
    assert (head.itm(features) - itm(features)).abs().max() < 1e-5
