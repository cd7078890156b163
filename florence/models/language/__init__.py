"""Text tower and tokenizers."""

from florence.models.language.base_tokenizer import BaseTokenizer
from florence.models.language.clip_tokenizer import CLIPTokenizer
from florence.models.language.florence2_tokenizer import Florence2Tokenizer
from florence.models.language.hf_tokenizer import HFTokenizer
from florence.models.language.roberta import RobertaEncoder
from florence.models.language.text_transformer import TextTransformer
from florence.models.language.tokenizer_state import TokenizerModule
from florence.models.language.trained_bpe import TrainedBPE

__all__ = [
    'BaseTokenizer',
    'CLIPTokenizer',
    'Florence2Tokenizer',
    'HFTokenizer',
    'RobertaEncoder',
    'TextTransformer',
    'TokenizerModule',
    'TrainedBPE',
]
