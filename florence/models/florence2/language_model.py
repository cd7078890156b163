"""The language model of Florence-2: BART's encoder and decoder (arXiv 1910.13461), whose encoder reads image tokens and a prompt.

The layers are those of the `transformers` library, so that released weights load by name. One table serves as embedding of
prompts and answers and as output layer, and is one parameter here.

Axes: B texts, N tokens of image and prompt, L tokens of the answer, D width, V vocabulary.
"""

from torch import Tensor, nn

from florence.layers import Linear
from florence.layers.linear import linear
from florence.models.florence2.token_table import TokenTable

ARCHS: dict[str, dict[str, int]] = {
    'base': dict(embed_dims=768, num_layers=6, num_heads=12, mlp_dims=3072),
    'large': dict(embed_dims=1024, num_layers=12, num_heads=16, mlp_dims=4096),
}


class LanguageModel(nn.Module):
    """Embeddings of image and prompt to the hidden states of an answer.

    Args:
        vocab_size: V.
        pad_id: Id of padding, whose embedding as an input is not learned.
        arch: Key of `ARCHS`, or its sizes: `embed_dims`, `num_layers` of the encoder and of the decoder, `num_heads`, `mlp_dims`.
        max_positions: Longest sequence of image tokens and prompt, and longest answer.
        drop_rate: Dropout everywhere, attention weights included.
        init_std: Standard deviation of the initial weights.
        with_cp: Compute each layer again in the backward pass instead of storing its activations.

    Attributes:
        embed_dims: Width D.

    Raises:
        ValueError: If `arch` is unknown or lacks a size.
    """

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        *,
        arch: str | dict[str, int],
        max_positions: int = 1024,
        drop_rate: float = 0.1,
        init_std: float = 0.02,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        from transformers import BartConfig, BartModel

        sizes = _sizes(arch)
        self.embed_dims, self.max_positions = sizes['embed_dims'], max_positions
        config = BartConfig(
            vocab_size=vocab_size,
            d_model=self.embed_dims,
            encoder_layers=sizes['num_layers'],
            decoder_layers=sizes['num_layers'],
            encoder_attention_heads=sizes['num_heads'],
            decoder_attention_heads=sizes['num_heads'],
            encoder_ffn_dim=sizes['mlp_dims'],
            decoder_ffn_dim=sizes['mlp_dims'],
            max_position_embeddings=max_positions,
            pad_token_id=pad_id,
            dropout=drop_rate,
            attention_dropout=drop_rate,
            activation_dropout=drop_rate,
            init_std=init_std,
        )
        config._attn_implementation = 'sdpa'
        self.model = BartModel(config)
        # Both sides are given embeddings: the table is one parameter under one name.
        self.model.encoder.embed_tokens = self.model.decoder.embed_tokens = None
        for module in self.model.modules():
            if type(module) is nn.Linear:
                module.__class__ = Linear  # the same parameters with this package's faster kernels on CPU
        if with_cp:
            # The library renamed the method; the old name warns.
            enable = getattr(self.model, 'activation_checkpointing_enable', self.model.gradient_checkpointing_enable)
            enable(dict(use_reentrant=False))

    @property
    def token_embedding(self) -> nn.Embedding:
        """The table, `(V, D)`."""
        return self.model.shared

    def token_weight(self) -> Tensor:
        """All embeddings as they are now, `(V, D)`."""
        table = self.token_embedding
        return table.whole() if isinstance(table, TokenTable) else table.weight

    def train_tokens(self, ids: Tensor) -> None:
        """Train the embeddings of these tokens, `(n,)`, and no others."""
        self.model.shared = TokenTable(self.token_embedding, ids)

    def encode(self, embeds: Tensor, mask: Tensor | None) -> Tensor:
        """Hidden states of image and prompt.

        Args:
            embeds: Image tokens and embeddings of the prompt, `(B, N, D)`.
            mask: `(B, N)` bool, True = keep; None = everything.

        Returns:
            `(B, N, D)`.
        """
        return self.model.encoder(inputs_embeds=embeds, attention_mask=broadcast(mask)).last_hidden_state

    def decode(self, input_ids: Tensor, memory: Tensor, memory_mask: Tensor | None) -> Tensor:
        """What each token of an answer and those before it say about the next one, `(B, L, D)`.

        Args:
            input_ids: `(B, L)`; padding on the right is out of reach of the tokens before it.
            memory: As `encode` returns it, `(B, N, D)`.
            memory_mask: As for `encode`.
        """
        return self.model.decoder(
            inputs_embeds=self.token_embedding(input_ids),
            encoder_hidden_states=memory,
            encoder_attention_mask=broadcast(memory_mask),
            use_cache=False,
        ).last_hidden_state

    def logits(self, hidden: Tensor) -> Tensor:
        """`(..., D)` to `(..., V)`."""
        return linear(hidden, self.token_weight())


def broadcast(mask: Tensor | None) -> Tensor | None:
    """`(B, N)` to `(B, 1, 1, N)`: the library looks into a mask of two dimensions, which would stall an accelerator."""
    return None if mask is None else mask[:, None, None]


def _sizes(arch: str | dict[str, int]) -> dict[str, int]:
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(f'unknown arch {arch!r} of the language model, expected one of {sorted(ARCHS)} or a dict of sizes.')
        return ARCHS[arch]
    if set(arch) != set(ARCHS['base']):
        raise ValueError(f'arch of the language model needs exactly the sizes {sorted(ARCHS["base"])}, got {sorted(arch)}.')
    return arch
