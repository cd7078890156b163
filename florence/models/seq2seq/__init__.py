"""Generation of token sequences: beam search and the cache of a decoder's keys and values."""

from florence.models.seq2seq.beam_cache import BeamCache
from florence.models.seq2seq.beam_past import BeamPast
from florence.models.seq2seq.beam_search import BeamSettings, StepDecoder, beam_search
from florence.models.seq2seq.hypotheses import Hypothesis

__all__ = ['BeamCache', 'BeamPast', 'BeamSettings', 'Hypothesis', 'StepDecoder', 'beam_search']
