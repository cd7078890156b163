"""Predicts hidden tokens from fused text tokens (METER, arXiv 2111.02387, section 3.3; BERT, arXiv 1810.04805, section 3.1)."""

import torch
from torch import Tensor, nn

from florence.layers import Fp32LayerNorm, Linear
from florence.models.fusion import init_bert_weights


class MLMHead(nn.Module):
    """Linear, GELU, LayerNorm, then one logit per token of the vocabulary.

    Args:
        embed_dims: Width D of the tokens.
        vocab_size: Tokens of the vocabulary V.
        tied: Whether the last layer's weights are those of the word embedding; METER's are its own.
        norm_eps: Epsilon of the LayerNorm.
    """

    def __init__(self, embed_dims: int, vocab_size: int, *, tied: bool = False, norm_eps: float = 1e-12) -> None:
        super().__init__()
        self.vocab_size, self.tied = vocab_size, tied
        self.dense = Linear(embed_dims, embed_dims)
        self.norm = Fp32LayerNorm(embed_dims, eps=norm_eps)
        self.decoder = None if tied else Linear(embed_dims, vocab_size, bias=False)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.apply(init_bert_weights)

    def forward(self, tokens: Tensor, word_weight: Tensor | None = None) -> Tensor:
        """Logits, `(..., V)`.

        Args:
            tokens: `(..., D)`.
            word_weight: Weight of the word embedding, `(V, D)`; for `tied` only.
        """
        x = self.norm(nn.functional.gelu(self.dense(tokens)))
        if self.decoder is not None:
            return self.decoder(x) + self.bias
        assert word_weight is not None, 'a tied head needs the weight of the word embedding'
        return nn.functional.linear(x, word_weight, self.bias)
