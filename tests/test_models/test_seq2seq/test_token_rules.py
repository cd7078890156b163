"""Rules on next tokens: those of transformers."""

import pytest
import torch
from transformers import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from florence.models.seq2seq.token_rules import forbid_repeated_ngrams, penalize_repeats

END = 9


@pytest.fixture
def tokens():
    return torch.randint(0, 5, (16, 12))


@pytest.fixture
def log_probs():
    return torch.randn(16, 10).log_softmax(1)


@pytest.mark.parametrize('penalty', [0.7, 1.3])
def test_penalty_equals_transformers(tokens, log_probs, penalty):
    expected = RepetitionPenaltyLogitsProcessor(penalty)(tokens, log_probs.clone())
    found = penalize_repeats(log_probs, tokens, penalty)
    assert torch.equal(found, expected) and not torch.equal(found, log_probs)


@pytest.mark.parametrize('size', [1, 2, 3])
def test_ngrams_equal_transformers(tokens, log_probs, size):
    expected = NoRepeatNGramLogitsProcessor(size)(tokens, log_probs.clone())
    found = forbid_repeated_ngrams(log_probs, tokens, size, END)
    assert torch.equal(found, expected) and found.isinf().any()


def test_a_text_shorter_than_the_ngram_is_free(log_probs):
    assert torch.equal(forbid_repeated_ngrams(log_probs, torch.zeros(16, 2, dtype=torch.int64), 3, END), log_probs)


def test_the_end_is_no_repetition(log_probs):
    tokens = torch.full((16, 3), END)  # as where the end token starts texts
    assert torch.equal(forbid_repeated_ngrams(log_probs, tokens, 1, END), log_probs)
