"""What is hidden of a text, how often, and that a seed alone decides it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_models import CAPTIONS, trained_tokenizer

from florence.models.vision_language.masked_tokens import IGNORED, TokenMasker

TOKENIZER = trained_tokenizer()
MASK = TOKENIZER.mask_id


def encoded(texts):
    batch = TOKENIZER(texts)
    return batch['input_ids'], batch['attention_mask']


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=4), whole_word=st.booleans())
def test_at_least_one_and_never_special_or_padding(texts, whole_word):
    ids, mask = encoded(texts)
    masked, labels = TokenMasker(0.15, whole_word=whole_word)(TOKENIZER, ids, mask)
    chosen = labels != IGNORED
    assert chosen.any(1).all()
    assert torch.equal(labels[chosen], ids[chosen]) and torch.equal(masked[~chosen], ids[~chosen])
    assert mask[chosen].all() and not torch.isin(labels[chosen], torch.tensor([0, 1, 2, 3])).any()


def test_shares_are_fifteen_percent_and_eighty_ten_ten():
    ids = torch.randint(4, 300, (400, 300))  # long texts: the one that is always chosen does not count
    masked, labels = TokenMasker(whole_word=False)(TOKENIZER, ids, torch.ones_like(ids))
    chosen = labels != IGNORED
    assert abs(chosen.float().mean() - 0.15) < 0.005
    kept, is_mask = (masked == ids)[chosen], (masked == MASK)[chosen]
    assert abs(is_mask.float().mean() - 0.8) < 0.01
    assert abs(kept.float().mean() - 0.1) < 0.01
    random = masked[chosen][~kept & ~is_mask]
    assert random.min() >= 4 and random.max() == max(TOKENIZER.vocabulary().values()) and len(random.unique()) > 200


def test_whole_words_are_hidden_whole():
    texts = [f'qzxwv jkqxz {word} vwxyz' for word in ('seven', 'blue', 'green', 'orange')] * 20
    ids, mask = encoded(texts)
    word = TOKENIZER.begins_word(ids).long().cumsum(1)
    chosen = TokenMasker(0.3)(TOKENIZER, ids, mask)[1] != IGNORED
    sizes = []
    for row in range(len(ids)):
        for number in word[row][mask[row].bool()].unique():
            of_word = chosen[row][(word[row] == number) & mask[row].bool()]
            assert of_word.all() or not of_word.any()
            sizes.append((int(of_word.sum()), len(of_word)))
    assert {found for found, size in sizes if size > 3} >= {0, 6}
    parted = TokenMasker(0.3, whole_word=False)(TOKENIZER, ids, mask)[1] != IGNORED
    assert any(0 < parted[row][(word[row] == 2)].sum() < (word[row] == 2).sum() for row in range(len(ids)))


def test_a_seed_decides_whatever_the_batch():
    masker = TokenMasker(0.5)
    alone = masker(TOKENIZER, *encoded([CAPTIONS[0]]), seeds=[7])
    together = masker(TOKENIZER, *encoded(['a large orange zero above a green nine on a grey ground', CAPTIONS[0]]), seeds=[8, 7])
    length = alone[0].shape[1]
    for single, batch in zip(alone, together, strict=True):
        assert torch.equal(batch[1, :length], single[0])
    assert not torch.equal(masker(TOKENIZER, *encoded([CAPTIONS[0]]), seeds=[9])[1], alone[1])
    draws = {tuple(masker(TOKENIZER, *encoded([CAPTIONS[0]]))[1][0].tolist()) for _ in range(9)}
    assert len(draws) > 1


def test_short_texts_are_not_left_out():
    """METER's collator leaves many short texts without anything to predict."""
    ids, mask = encoded(['a red seven'] * 200)
    labels = TokenMasker(whole_word=False)(TOKENIZER, ids, mask)[1]
    counts = (labels != IGNORED).sum(1)
    assert counts.min() == 1 and 1 < counts.float().mean() < 1.5


def test_bad_arguments():
    with pytest.raises(ValueError, match=r'must lie in \(0, 1\), got 1'):
        TokenMasker(1)
    with pytest.raises(ValueError, match='sum to at most 1, got 0.8 and 0.3'):
        TokenMasker(0.15, mask_share=0.8, random_share=0.3)
    plain = trained_tokenizer(mask_token=False)
    batch = plain(['a red seven'])
    with pytest.raises(ValueError, match='TrainedBPE has no mask token'):
        TokenMasker()(plain, batch['input_ids'], batch['attention_mask'])
