"""Generation of token sequences: beam search and the cache of a decoder's keys and values."""

from florence.models.seq2seq.beam_search import BeamSettings, Hypothesis, StepDecoder, beam_search
from florence.models.seq2seq.key_value_cache import KeyValueCache

__all__ = ['BeamSettings', 'Hypothesis', 'KeyValueCache', 'StepDecoder', 'beam_search']
