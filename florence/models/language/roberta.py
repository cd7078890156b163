"""RoBERTa as a text tower: the encoder that METER fuses with images (arXiv 1907.11692; METER, arXiv 2111.02387, section 3.1).

The layers are those of the `transformers` library, so that its weights load by name. Florence's paper names "a pretrained
Roberta" without its size; its parameter count fits `base` (see `configs/_base_/models/meter_coswin-h.py`).

Differs from `RobertaModel`: positions follow from the attention mask, not from the pad id, and no row of the word embedding is
held at zero; so any tokenizer can feed it, whatever its pad id. There is no pooler: METER has one of its own after the fusion.

Axes: B batch, L tokens, D width.
"""

from typing import Any

from torch import Tensor, nn

from florence.layers import Linear
from florence.registry import MODELS

ROBERTA_VOCAB_SIZE = 50265
# RoBERTa's position table keeps two rows before the first position, for its pad id 1 and the id before it.
FIRST_POSITION = 2
ARCHS: dict[str, dict[str, int]] = {
    'base': dict(vocab_size=ROBERTA_VOCAB_SIZE, embed_dims=768, num_layers=12, num_heads=12, mlp_dims=3072),
    'large': dict(vocab_size=ROBERTA_VOCAB_SIZE, embed_dims=1024, num_layers=24, num_heads=16, mlp_dims=4096),
}
_NAMES = dict(
    vocab_size='vocab_size', embed_dims='hidden_size', num_layers='num_hidden_layers', num_heads='num_attention_heads',
    mlp_dims='intermediate_size',
)  # fmt: skip


@MODELS.register_module()
class RobertaEncoder(nn.Module):
    """Token ids -> the feature of the first token, and of every token.

    Args:
        arch: Key of `ARCHS`; None takes the sizes from the arguments below, which also override those of `arch`, or, where none
            is given, from the configuration that lies with `pretrained`.
        pretrained: Hub name such as 'roberta-base', or local folder, whose weights `init_weights` loads; None = start anew.
        vocab_size: Rows of the token embedding.
        context_length: Longest text in tokens.
        embed_dims: Width D.
        num_layers: Layers.
        num_heads: Attention heads; must divide `embed_dims`.
        mlp_dims: Hidden width of the MLPs.
        drop_rate, attn_drop_rate: Dropout of the parts and of the attention weights.
        init_std: Standard deviation of the initial weights; RoBERTa's 0.02 suits a width of 768, a narrow tower learns faster
            from larger ones.
        with_cp: Compute each layer again in the backward pass instead of storing its activations.

    Attributes:
        embed_dims: Width D of the output.
        context_length: Largest L.
        vocab_size: Rows of the token embedding.

    Raises:
        FileNotFoundError: If the configuration is to come from `pretrained` and there is none.
        ValueError: If `arch` is unknown, a size is missing, or sizes do not fit each other.
    """

    def __init__(
        self,
        arch: str | None = None,
        *,
        pretrained: str | None = None,
        vocab_size: int | None = None,
        context_length: int | None = None,
        embed_dims: int | None = None,
        num_layers: int | None = None,
        num_heads: int | None = None,
        mlp_dims: int | None = None,
        drop_rate: float = 0.1,
        attn_drop_rate: float = 0.1,
        init_std: float = 0.02,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        from transformers import RobertaConfig, RobertaModel

        given = dict(
            vocab_size=vocab_size, embed_dims=embed_dims, num_layers=num_layers, num_heads=num_heads, mlp_dims=mlp_dims
        )  # fmt: skip
        if arch is None and pretrained is not None and not any(given.values()):
            config = _read('configuration', RobertaConfig, pretrained)
            given = {ours: getattr(config, theirs) for ours, theirs in _NAMES.items()}
            context_length = context_length or config.max_position_embeddings - FIRST_POSITION
        sizes = _sizes(arch, given)
        self.pretrained = pretrained
        self.embed_dims, self.vocab_size = sizes['embed_dims'], sizes['vocab_size']
        self.context_length = context_length or 512
        named: dict[str, Any] = {theirs: sizes[ours] for ours, theirs in _NAMES.items()}
        config = RobertaConfig(
            **named,
            max_position_embeddings=self.context_length + FIRST_POSITION,
            type_vocab_size=1,
            pad_token_id=FIRST_POSITION - 1,
            layer_norm_eps=1e-5,
            hidden_dropout_prob=drop_rate,
            attention_probs_dropout_prob=attn_drop_rate,
            initializer_range=init_std,
        )
        config._attn_implementation = 'sdpa'
        self.model = RobertaModel(config, add_pooling_layer=False)
        for module in self.model.modules():
            if type(module) is nn.Linear:
                module.__class__ = Linear  # the same parameters with this package's faster kernels on CPU
        words = self.model.embeddings.word_embeddings
        words.padding_idx = None  # else the token of that id, a word of another vocabulary, would never learn
        nn.init.normal_(words.weight, std=init_std)
        if with_cp:
            # The library renamed the method; the old name warns.
            enable = getattr(self.model, 'activation_checkpointing_enable', self.model.gradient_checkpointing_enable)
            enable(dict(use_reentrant=False))

    @property
    def token_embedding(self) -> nn.Embedding:
        """The word embedding, `(vocab_size, D)`."""
        return self.model.embeddings.word_embeddings

    def init_weights(self) -> None:
        """Load the pretrained weights, where the constructor was given some; called once, before a training.

        Raises:
            FileNotFoundError: If there is no such folder and no such model on the hub.
            ValueError: If its sizes are not those of this tower, or weights of this tower are not in it.
        """
        if self.pretrained is None:
            return
        from transformers import RobertaModel

        source, report = _read('model', RobertaModel, self.pretrained, add_pooling_layer=False, output_loading_info=True)
        missing = sorted(report['missing_keys'])  # the library would start them anew
        if missing:
            raise ValueError(
                f'RobertaEncoder: {self.pretrained!r} holds no weights of {len(missing)} parameters, e.g. {missing[0]}: give '
                'those of a RoBERTa.'
            )
        own, found = self.model.state_dict(), source.state_dict()
        unlike = [name for name in own if name not in found or found[name].shape != own[name].shape]
        if unlike or len(own) != len(found):
            raise ValueError(
                f'RobertaEncoder: {self.pretrained!r} has other sizes than this tower, e.g. in '
                f'{unlike[0] if unlike else "its number of layers"}: give the arch and context_length of those weights.'
            )
        self.model.load_state_dict(found)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, return_tokens: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Encode a batch of texts.

        Args:
            input_ids: `(B, L)` integer, L <= `context_length`.
            attention_mask: `(B, L)` integer or bool, 1 = keep; the first token of each text is kept.
            return_tokens: Also return the feature of every token. Those of padded positions carry no meaning.

        Returns:
            Features of the first tokens `(B, D)`, or `(pooled (B, D), tokens (B, L, D))`.

        Raises:
            ValueError: If shapes do not fit or L exceeds `context_length`.
        """
        self._check_inputs(input_ids, attention_mask)
        mask = attention_mask.long()
        positions = mask.cumsum(1) * mask + FIRST_POSITION - 1
        # Four dimensions, because the library looks into a mask of two, which would stall an accelerator.
        output = self.model(input_ids=input_ids, attention_mask=mask[:, None, None, :].bool(), position_ids=positions)
        tokens = output.last_hidden_state
        return (tokens[:, 0], tokens) if return_tokens else tokens[:, 0]

    def parameter_depth(self, name: str) -> tuple[int, int]:
        """How deep a parameter lies: 0 for the embeddings, then one more per layer; its largest value, for the last layer.

        Args:
            name: As in `named_parameters`.
        """
        top = len(self.model.encoder.layer)
        parts = name.split('.')
        return (int(parts[3]) + 1 if parts[1] == 'encoder' else 0), top

    def _check_inputs(self, input_ids: Tensor, attention_mask: Tensor) -> None:
        if input_ids.dim() != 2 or input_ids.shape != attention_mask.shape:
            raise ValueError(
                'input_ids and attention_mask must both be (B, L), got '
                f'{tuple(input_ids.shape)} and {tuple(attention_mask.shape)}.'
            )
        if input_ids.shape[1] > self.context_length:
            raise ValueError(
                f'the text has {input_ids.shape[1]} tokens, RobertaEncoder has {self.context_length} positions: give the '
                f'tokenizer context_length={self.context_length}.'
            )


def _read(what: str, kind: type, name_or_folder: str, **options: Any) -> Any:
    from safetensors import SafetensorError

    try:
        return kind.from_pretrained(name_or_folder, **options)  # type: ignore[attr-defined]
    except SafetensorError as error:
        raise ValueError(f'the weights of RoBERTa in {name_or_folder!r} cannot be read ({error}): fetch them again.') from error
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f'no RoBERTa {what} {name_or_folder!r} in a local folder or on the Hugging Face hub: give the name of a hub '
            'repository, or a folder that holds config.json and model.safetensors.'
        ) from error


def _sizes(arch: str | None, given: dict[str, int | None]) -> dict[str, int]:
    if arch is not None and arch not in ARCHS:
        raise ValueError(f'unknown arch {arch!r} of RobertaEncoder, expected one of {sorted(ARCHS)}.')
    sizes = {**(ARCHS[arch] if arch else {}), **{name: size for name, size in given.items() if size is not None}}
    missing = sorted(set(given) - set(sizes))
    if missing:
        raise ValueError(f'RobertaEncoder needs {", ".join(missing)}, or an arch out of {sorted(ARCHS)}, or pretrained weights.')
    if sizes['embed_dims'] % sizes['num_heads']:
        raise ValueError(f'RobertaEncoder: num_heads={sizes["num_heads"]} must divide embed_dims={sizes["embed_dims"]}.')
    return sizes
