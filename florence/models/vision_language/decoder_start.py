"""What a caption decoder takes from a pretrained encoder: the text tower's embeddings, and the text layers of the fusion.

BLIP (arXiv 2201.12086, section 3.1) shares its decoder with the text encoder in the same spirit. The mapping works on state
dicts, so that it serves a fresh model and the loading of a checkpoint alike.

Names on the left are the decoder's (`CaptionDecoder`), on the right those of `METEREncoder`.
"""

from collections.abc import Mapping

from torch import Tensor

from florence.models.language.roberta import FIRST_POSITION
from florence.models.vision_language.meter_encoder import TEXT_TYPE

LAYERS = ('fusion.text_layers.', 'fusion.merged_layers.')
_ROBERTA = 'text_tower.model.embeddings.'


def text_embeddings(encoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tables of the text tower under one set of names, whichever tower it is.

    Args:
        encoder: State dict of a `METEREncoder`.

    Returns:
        `token_embedding.weight` `(V, D_t)` and `positional_embedding` `(L, D_t)`; `norm.weight` and `norm.bias` `(D_t,)` where
        the tower normalises its embeddings.

    Raises:
        ValueError: If the tower is neither a `TextTransformer` nor a `RobertaEncoder`.
    """
    if 'text_tower.token_embedding.weight' in encoder:
        return {name: encoder[f'text_tower.{name}'] for name in ('token_embedding.weight', 'positional_embedding')}
    if _ROBERTA + 'word_embeddings.weight' in encoder:
        positions = encoder[_ROBERTA + 'position_embeddings.weight'][FIRST_POSITION:]
        return {
            'token_embedding.weight': encoder[_ROBERTA + 'word_embeddings.weight'],
            # RoBERTa has one type of token, whose row is added to every position.
            'positional_embedding': positions + encoder[_ROBERTA + 'token_type_embeddings.weight'][0],
            'norm.weight': encoder[_ROBERTA + 'LayerNorm.weight'],
            'norm.bias': encoder[_ROBERTA + 'LayerNorm.bias'],
        }
    raise ValueError(
        'a caption decoder takes its embeddings from a TextTransformer or a RobertaEncoder, the text tower of this encoder is '
        'neither: give it one of them.'
    )


def decoder_weights(encoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a decoder from those of an encoder; what is not in it, the LM head for one, keeps its own start.

    Args:
        encoder: State dict of a `METEREncoder`.

    Raises:
        ValueError: As `text_embeddings`.
    """
    weights = {f'embedding.{name}': table for name, table in text_embeddings(encoder).items()}
    weights['embedding.proj.weight'] = encoder['text_proj.weight']
    weights['embedding.proj.bias'] = encoder['text_proj.bias'] + encoder['token_types.weight'][TEXT_TYPE]
    for name, weight in encoder.items():
        for layers in LAYERS:
            if name.startswith(layers):
                weights['layers.' + name.removeprefix(layers)] = weight
    return weights
