"""The encoders below METER's fusion: grid features of an image tower, tokens of a text tower, projections, token types, poolers.

Source: METER (arXiv 2111.02387, section 3) with a Swin-like image tower, as Florence uses it (arXiv 2111.11432, sections 2.5
and 3.7): the tokens are the cells of the last feature map, without a class token; the image feature is their mean. Each image and
each text is encoded apart from the other (`encode_image`, `encode_text`), so that a task can pair them as it likes.

Differs from the official code: several feature maps may give tokens (small images), and fixed sine positions may be added to the
cells; both are off by default.
"""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from florence.layers import Linear
from florence.models.fusion import init_bert_weights
from florence.models.language import TokenizerModule
from florence.models.vision_language.grid_positions import sine_positions
from florence.registry import MODELS, TOKENIZERS

TEXT_TYPE, IMAGE_TYPE = 0, 1


class METEREncoder(BaseModule):
    """Tokens of images and texts, fused and pooled.

    Args:
        image_tower: Backbone: `(B, 3, H, W)` -> tuple of `(B, C_i, H_i, W_i)`; needs `out_channels`.
        text_tower: Encoder: `input_ids, attention_mask (B, L), return_tokens=True` -> `(pooled, tokens (B, L, D_t))`; needs
            `embed_dims`.
        tokenizer: Config of a `florence.registry.TOKENIZERS` entry.
        fusion: Fusion module: `(text, image, text_mask, image_mask)` -> `(text, image)`; needs `embed_dims`.
        num_images: Images of one sample: 2 where a sentence is about a pair; each has a token type of its own.
        grid_positions: Whether fixed sine positions are added to the cells of the feature maps.
        init_std: Standard deviation of the initial weights of projections, token types and poolers.
        init_cfg: Initialisation of mmengine; `dict(type='Pretrained', checkpoint=..., prefix='encoder')` takes the encoder of a
            model of another task.

    Attributes:
        embed_dims: Width D of the tokens.

    Raises:
        ValueError: If the tokenizer has more tokens than the text tower.
    """

    def __init__(
        self,
        image_tower: dict | nn.Module,
        text_tower: dict | nn.Module,
        tokenizer: dict,
        fusion: dict | nn.Module,
        *,
        num_images: int = 1,
        grid_positions: bool = False,
        init_std: float = 0.02,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.image_tower = _built(image_tower)
        self.text_tower = _built(text_tower)
        self.tokenizer = TokenizerModule(TOKENIZERS.build(tokenizer))
        _check_vocabulary(self.tokenizer, self.text_tower)
        self.fusion = _built(fusion)
        self.embed_dims: int = self.fusion.embed_dims
        self.grid_positions = grid_positions
        self.text_proj = Linear(self.text_tower.embed_dims, self.embed_dims)
        self.image_proj = nn.ModuleList(Linear(width, self.embed_dims) for width in self.image_tower.out_channels)
        self.token_types = nn.Embedding(1 + num_images, self.embed_dims)
        self.text_pooler = Linear(self.embed_dims, self.embed_dims)
        self.image_pooler = Linear(self.embed_dims, self.embed_dims)
        for module in (self.text_proj, self.image_proj, self.token_types, self.text_pooler, self.image_pooler):
            module.apply(partial(init_bert_weights, std=init_std))

    def encode_image(self, inputs: Tensor, position: int = 0) -> Tensor:
        """Tokens of images before the fusion, `(B, L_i, D)`.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            position: Which of a sample's images these are, from 0.
        """
        return self.encode_maps(self.image_tower(inputs), position)

    def encode_maps(self, maps: Sequence[Tensor], position: int = 0) -> Tensor:
        """As `encode_image`, from feature maps: their cells one after another, map by map, row by row.

        Args:
            maps: As the image tower returns them, `(B, C_i, H_i, W_i)` each.
            position: As for `encode_image`.

        Raises:
            ValueError: If there is no token type for that position.
        """
        num_images = len(self.token_types.weight) - IMAGE_TYPE
        if position >= num_images:
            raise ValueError(
                f'METEREncoder has num_images={num_images}, its task asks for image {position + 1} of a sample: set num_images '
                'of the encoder to that of the head.'
            )
        tokens = [self._cells(proj, feature_map) for proj, feature_map in zip(self.image_proj, maps, strict=True)]
        return torch.cat(tokens, 1) + self.token_types.weight[IMAGE_TYPE + position]

    def _cells(self, proj: nn.Module, feature_map: Tensor) -> Tensor:
        tokens = proj(feature_map.flatten(2).transpose(1, 2))  # (B, C, H, W) -> (B, H W, D)
        if self.grid_positions:
            tokens = tokens + sine_positions(*feature_map.shape[2:], self.embed_dims).to(tokens)
        return tokens

    def encode_text(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Tokens of texts before the fusion.

        Args:
            texts: B non-empty strings.

        Returns:
            Tokens `(B, L_t, D)` and their mask `(B, L_t)`, 1 = keep.
        """
        encoded = self.tokenizer.encode(texts)
        return self.encode_tokens(encoded['input_ids'], encoded['attention_mask'])

    def encode_tokens(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """As `encode_text`, from token ids.

        Args:
            input_ids, attention_mask: `(B, L_t)` integer, 1 = keep; on any device.
        """
        device = self.token_types.weight.device
        mask = attention_mask.to(device)
        tokens = self.text_tower(input_ids.to(device), mask, return_tokens=True)[1]
        return self.text_proj(tokens) + self.token_types.weight[TEXT_TYPE], mask

    def fuse(self, text: Tensor, image: Tensor, text_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Fused text tokens `(B, L_t, D)` and image tokens `(B, L_i, D)`.

        Args:
            text, text_mask: As `encode_text` returns them.
            image: As `encode_image` returns it.
        """
        return self.fusion(text, image, text_mask, None)

    def pool(self, text: Tensor, image: Tensor) -> Tensor:
        """Feature of each pair, `(B, 2 D)`: the first text token and the mean of the image tokens, each through its pooler.

        Args:
            text, image: As `fuse` returns them.
        """
        return torch.cat([self.text_pooler(text[:, 0]).tanh(), self.image_pooler(image.mean(1)).tanh()], -1)

    def pair_features(self, inputs: Tensor, texts: list[str]) -> Tensor:
        """All of it: the feature of each image with its text, `(B, 2 D)`.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            texts: B non-empty strings.
        """
        text, mask = self.encode_text(texts)
        return self.pool(*self.fuse(text, self.encode_image(inputs), mask))

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that Florence does not decay (section 3.7): text embeddings and token types."""
        text_embeddings = {f'text_tower.{name}' for name, _ in self.text_tower.named_parameters() if 'embed' in name}
        return text_embeddings | {'token_types.weight'}

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Token types of further images start as that of the first, where a checkpoint knows one image only."""
        key = prefix + 'token_types.weight'
        own = self.token_types.weight
        if key in state_dict and len(state_dict[key]) == IMAGE_TYPE + 1 < len(own):
            loaded = state_dict[key]
            state_dict[key] = torch.cat([loaded, loaded[-1:].expand(len(own) - len(loaded), -1)])
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _built(module: dict | nn.Module) -> nn.Module:
    return MODELS.build(module) if isinstance(module, dict) else module


def _check_vocabulary(tokenizer: TokenizerModule, text_tower: nn.Module) -> None:
    num_tokens, num_rows = tokenizer.tokenizer.vocab_size, text_tower.vocab_size
    if num_tokens > num_rows:
        raise ValueError(
            f'METEREncoder: the tokenizer has {num_tokens} tokens, the text tower has {num_rows}: set vocab_size of the tower to '
            'that of the tokenizer.'
        )
