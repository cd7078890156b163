"""Decoder that writes a caption: the text stream of METER's fusion, made causal.

METER (arXiv 2111.02387) reports captioning but released no generator. Here a decoder of the same layers as the fusion's text
stream (self-attention, cross-attention to the image stream, MLP), with a causal mask, starts from the fusion's weights
(`decoder_start`); each layer attends to the image-only stream (`image_stream`), so that no token sees one to come. The LM head is
BERT's (linear, GELU, LayerNorm), tied to the token embedding.

Axes: B texts, L tokens, L_i image tokens, D width, D_t width of the token embedding, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from florence.layers import Fp32LayerNorm, Linear
from florence.layers.linear import linear
from florence.models.fusion import FusionLayer, init_bert_weights
from florence.models.vision_language.decoder_start import text_embeddings
from florence.models.vision_language.image_stream import text_layers
from florence.models.vision_language.meter_encoder import METEREncoder


class CaptionEmbedding(nn.Module):
    """Tokens and their positions, at the width of the fusion.

    Args:
        vocab_size: V.
        context_length: Rows of the position table.
        token_dims: D_t.
        embed_dims: D.
        has_norm: Whether the embeddings are normalised before the projection, as RoBERTa's are.
    """

    def __init__(self, vocab_size: int, context_length: int, token_dims: int, embed_dims: int, has_norm: bool) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, token_dims)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, token_dims))
        self.norm = Fp32LayerNorm(token_dims) if has_norm else nn.Identity()
        self.proj = Linear(token_dims, embed_dims)
        self.apply(init_bert_weights)
        nn.init.normal_(self.positional_embedding, std=0.02)

    def forward(self, input_ids: Tensor, start: int = 0) -> Tensor:
        """`(B, L)` ids to `(B, L, D)`; the first is at position `start`."""
        positions = self.positional_embedding[start : start + input_ids.shape[1]]
        return self.proj(self.norm(self.token_embedding(input_ids) + positions))


class CaptionDecoder(nn.Module):
    """Hidden states and logits of the next token.

    Args:
        embedding: Of the tokens.
        layers: Each with cross-attention; as many as the image stream has steps.
        with_cp: Compute each layer again in the backward pass instead of storing its activations.
    """

    def __init__(self, embedding: CaptionEmbedding, layers: nn.ModuleList, with_cp: bool = False) -> None:
        super().__init__()
        self.embedding, self.layers, self.with_cp = embedding, layers, with_cp
        vocab_size, token_dims = embedding.token_embedding.weight.shape
        self.transform = Linear(embedding.proj.out_features, token_dims)
        self.transform_norm = Fp32LayerNorm(token_dims)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.transform.apply(init_bert_weights)

    @classmethod
    def like(cls, encoder: METEREncoder) -> 'CaptionDecoder':
        """A decoder of the sizes of an encoder's text side, which can start from its weights.

        Raises:
            ValueError: If the text tower has embeddings of an unknown kind.
        """
        tables = text_embeddings(encoder.state_dict())
        (vocab_size, token_dims), context_length = tables['token_embedding.weight'].shape, len(tables['positional_embedding'])
        embedding = CaptionEmbedding(vocab_size, context_length, token_dims, encoder.embed_dims, 'norm.weight' in tables)
        layers = nn.ModuleList(_causal_twin(layer) for layer in text_layers(encoder.fusion))
        return cls(embedding, layers, encoder.fusion.with_cp)

    @property
    def context_length(self) -> int:
        """Longest text in tokens, the start token included."""
        return len(self.embedding.positional_embedding)

    def forward(self, input_ids: Tensor, image_stream: list[Tensor]) -> Tensor:
        """What each token says about the next one, `(B, L, D)`; a token sees itself and those before it.

        Args:
            input_ids: `(B, L)`; padding on the right is out of reach of the tokens before it.
            image_stream: As `image_stream` gives it, `(B, L_i, D)` each.

        Raises:
            ValueError: If the text is longer than the position table.
        """
        length = input_ids.shape[1]
        if length > self.context_length:
            raise ValueError(
                f'the caption has {length} tokens, the decoder has {self.context_length} positions: give the tokenizer '
                f'context_length={self.context_length}.'
            )
        x = self.embedding(input_ids)
        mask = causal_mask(length, x.device)
        for layer, image in zip(self.layers, image_stream, strict=True):
            if self.with_cp and torch.is_grad_enabled():
                x = checkpoint(layer, x, image, mask, use_reentrant=False)
            else:
                x = layer(x, image, mask)
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        """`(..., D)` to `(..., V)`."""
        x = self.transform_norm(F.gelu(self.transform(hidden)))
        return linear(x, self.embedding.token_embedding.weight, self.bias)


def causal_mask(length: int, device: torch.device) -> Tensor:
    """`(L, L)` bool, True where the row may attend to the column."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def _causal_twin(layer: FusionLayer) -> FusionLayer:
    """A layer of the same sizes, with cross-attention; new weights."""
    return FusionLayer(
        layer.mlp.fc1.in_features,
        layer.self_attn.num_heads,
        layer.mlp.fc1.out_features,
        drop_rate=layer.drop.p,
        attn_drop_rate=layer.self_attn.attn_drop_rate,
        norm_eps=layer.self_norm.eps,
    ).apply(init_bert_weights)
