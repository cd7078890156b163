"""Text tower of Florence: a transformer "similar to CLIP" (arXiv 2111.11432, section 2.3).

The paper gives 12 layers and 256 M parameters, not the width. `huge` is the clean choice that meets the count
with the CLIP vocabulary (width 1152, 18 heads, MLP 4864: 255.4 M, 256.6 M with the projection to 1024);
`tiny`, `small` and `base` are UniCL's (arXiv 2204.03610) 63 M tower; `large` is CLIP ViT-L's; `nano` is ours,
for small machines.

Differs from CLIP's code: the end token is found by the attention mask, not as the largest id, so that any
vocabulary works; a batch is as long as its longest text, not always `context_length`; there is no projection
here, it belongs to the two-tower model. Positions default to the paper's 76; CLIP's released code has 77.

Axes: B batch, L tokens, D width.
"""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from florence.layers.drop_path import drop_path_rates
from florence.layers.norm import Fp32LayerNorm
from florence.models.language.text_block import ACTIVATIONS, TextBlock
from florence.registry import MODELS

CLIP_VOCAB_SIZE = 49408
_UNICL = dict(vocab_size=CLIP_VOCAB_SIZE, embed_dims=512, num_layers=12, num_heads=8, mlp_dims=2048)
ARCHS: dict[str, dict[str, int]] = {
    'nano': dict(vocab_size=1024, embed_dims=192, num_layers=4, num_heads=4, mlp_dims=768),
    'tiny': _UNICL,
    'small': _UNICL,
    'base': _UNICL,
    'large': dict(vocab_size=CLIP_VOCAB_SIZE, embed_dims=768, num_layers=12, num_heads=12, mlp_dims=3072),
    'huge': dict(vocab_size=CLIP_VOCAB_SIZE, embed_dims=1152, num_layers=12, num_heads=18, mlp_dims=4864),
}
POOLS = ('eot', 'first', 'mean')


@MODELS.register_module()
class TextTransformer(BaseModule):
    """Token ids -> one feature per text.

    Args:
        arch: Key of `ARCHS`; None takes everything from the arguments below, which also override those of
            `arch`.
        vocab_size: Rows of the token embedding.
        context_length: Rows of the position table: the longest text in tokens.
        embed_dims: Width D.
        num_layers: Blocks; 12 where neither this nor `arch` says otherwise.
        num_heads: Attention heads; must divide `embed_dims`.
        mlp_dims: Hidden width of the MLPs.
        act: 'gelu', or 'quick_gelu' for OpenAI's weights.
        causal: Whether a token sees only itself and those before it.
        pool: 'eot' = the last kept token, 'first' = the first (needs `causal=False`), 'mean' = mean of kept
            tokens.
        drop_path_rate: Stochastic depth of the last block; grows linearly from 0 at the first.
        token_init_std: Standard deviation of the initial token embeddings; 0.02 is CLIP's. A larger one tells texts apart
            from the start, which helps small towers with `pool='mean'`.
        with_cp: Recompute each block in the backward pass instead of storing its activations.
        init_cfg: Initialisation of mmengine, e.g. `dict(type='Pretrained', checkpoint=...)`.

    Attributes:
        embed_dims: Width D of the output.
        context_length: Largest L.

    Raises:
        ValueError: If `arch`, `act` or `pool` is unknown, a size is missing, or sizes do not fit each other.
    """

    def __init__(
        self,
        arch: str | None = None,
        *,
        vocab_size: int | None = None,
        context_length: int = 76,
        embed_dims: int | None = None,
        num_layers: int | None = None,
        num_heads: int | None = None,
        mlp_dims: int | None = None,
        act: str = 'gelu',
        causal: bool = True,
        pool: str = 'eot',
        drop_path_rate: float = 0.0,
        token_init_std: float = 0.02,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        sizes = _sizes(
            arch,
            vocab_size=vocab_size,
            embed_dims=embed_dims,
            num_layers=num_layers,
            num_heads=num_heads,
            mlp_dims=mlp_dims,
        )
        _check_choices(act=act, causal=causal, pool=pool)
        self.vocab_size, self.context_length, self.embed_dims = (
            sizes['vocab_size'],
            context_length,
            sizes['embed_dims'],
        )
        self.causal, self.pool, self.with_cp = causal, pool, with_cp
        self.token_embedding = nn.Embedding(self.vocab_size, self.embed_dims)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, self.embed_dims))
        (rates,) = drop_path_rates(drop_path_rate, [sizes['num_layers']])
        self.blocks = nn.ModuleList(
            TextBlock(
                self.embed_dims,
                sizes['num_heads'],
                sizes['mlp_dims'],
                act=act,
                drop_path=rate,
                depth=len(rates),
            )
            for rate in rates
        )
        self.norm = Fp32LayerNorm(self.embed_dims)
        nn.init.normal_(self.token_embedding.weight, std=token_init_std)
        nn.init.normal_(self.positional_embedding, std=0.01)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, return_tokens: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Encode a batch of texts.

        Args:
            input_ids: `(B, L)` integer, L <= `context_length`.
            attention_mask: `(B, L)` integer or bool, 1 = keep; padding is on the right. Checked on the CPU
                only: on an accelerator the check would stall the stream.
            return_tokens: Also return the normalised feature of every token. Those of padded positions carry
                no meaning.

        Returns:
            Pooled features `(B, D)`, or `(pooled (B, D), tokens (B, L, D))`.

        Raises:
            ValueError: If shapes do not fit, L exceeds `context_length`, or padding is not on the right.
        """
        self._check_inputs(input_ids, attention_mask)
        x = self.token_embedding(input_ids) + self.positional_embedding[: input_ids.shape[1]]
        # Under causal attention right padding is out of reach of the kept tokens, and SDPA is fastest without
        # a mask.
        key_mask = None if self.causal else attention_mask[:, None, None, :].bool()
        for block in self.blocks:
            if self.with_cp and torch.is_grad_enabled():
                x = checkpoint(block, x, key_mask, use_reentrant=False)
            else:
                x = block(x, key_mask)
        x = self.norm(x)
        pooled = self._pool(x, attention_mask)
        return (pooled, x) if return_tokens else pooled

    def parameter_depth(self, name: str) -> tuple[int, int]:
        """How deep a parameter lies: 0 for the embeddings, then one more per block; its largest value, for the last norm.

        Args:
            name: As in `named_parameters`.
        """
        top = len(self.blocks) + 1
        kind, *parts = name.split('.')
        if kind == 'blocks':
            return int(parts[0]) + 1, top
        return (0 if kind in ('token_embedding', 'positional_embedding') else top), top

    def _pool(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        if self.pool == 'first':
            return x[:, 0]
        if self.pool == 'mean':
            keep = attention_mask.to(x.dtype)[..., None]
            return (x * keep).sum(1) / keep.sum(1)
        last = attention_mask.sum(1, dtype=torch.int64) - 1
        return x[torch.arange(len(x), device=x.device), last]

    def _check_inputs(self, input_ids: Tensor, attention_mask: Tensor) -> None:
        if input_ids.dim() != 2 or input_ids.shape != attention_mask.shape:
            raise ValueError(
                'input_ids and attention_mask must both be (B, L), got '
                f'{tuple(input_ids.shape)} and {tuple(attention_mask.shape)}'
            )
        if input_ids.shape[1] > self.context_length:
            raise ValueError(
                f'the text has {input_ids.shape[1]} tokens, the tower has {self.context_length} positions: '
                f'give the tokenizer context_length={self.context_length}'
            )
        if attention_mask.device.type == 'cpu' and not torch.compiler.is_compiling():
            keep = attention_mask.bool()
            if not (keep[:, 0].all() and (keep[:, 1:] <= keep[:, :-1]).all()):
                raise ValueError('attention_mask must be ones then zeros, with a one at least: pad texts on the right')


def _sizes(arch: str | None, **given: int | None) -> dict[str, int]:
    if arch is not None and arch not in ARCHS:
        raise ValueError(f'unknown arch {arch!r} of TextTransformer, expected one of {sorted(ARCHS)}')
    sizes = {
        'num_layers': 12,
        **(ARCHS[arch] if arch else {}),
        **{k: v for k, v in given.items() if v is not None},
    }
    missing = sorted(set(given) - set(sizes))
    if missing:
        raise ValueError(f'TextTransformer needs {", ".join(missing)}, or an arch out of {sorted(ARCHS)}')
    if sizes['embed_dims'] % sizes['num_heads']:
        raise ValueError(f'num_heads={sizes["num_heads"]} must divide embed_dims={sizes["embed_dims"]}')
    return sizes


def _check_choices(*, act: str, causal: bool, pool: str) -> None:
    if act not in ACTIVATIONS:
        raise ValueError(f'unknown act {act!r} of TextTransformer, expected one of {sorted(ACTIVATIONS)}')
    if pool not in POOLS:
        raise ValueError(f'unknown pool {pool!r} of TextTransformer, expected one of {sorted(POOLS)}')
    if pool == 'first' and causal:
        raise ValueError("pool='first' needs causal=False: under causal attention the first token sees only itself")
