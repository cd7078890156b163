import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.models.language.trained_bpe import TrainedBPE
from florence.registry import TOKENIZERS

COLOURS = ['red', 'blue', 'green', 'yellow']
DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
CAPTIONS = [f'a {c} {d} above a small {e} {d}' for c in COLOURS for d in DIGITS for e in COLOURS]


def trained(**kwargs) -> TrainedBPE:
    tokenizer = TrainedBPE(**{'vocab_size': 320, **kwargs})
    tokenizer.train(CAPTIONS)
    return tokenizer


@pytest.fixture(scope='module')
def tokenizer() -> TrainedBPE:
    return trained()


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9),
        min_size=1,
        max_size=5,
    )
)
def test_decode_gives_lower_cased_ascii_words_back(words, tokenizer):
    text = ' '.join(words)
    assert tokenizer.decode(tokenizer([text])['input_ids'][0]) == text.lower()


@pytest.mark.parametrize('text', ['caf\u00e9 \u4e2d\u6587 \U0001f600', 'a <eot> b <pad>', '\u0130 \u1e9e'])
def test_no_text_is_out_of_vocabulary(text, tokenizer):
    ids = tokenizer([text])['input_ids'][0].tolist()
    assert tokenizer.decode(ids) == text.lower()
    assert all(i > 2 for i in ids[1:-1])


def test_training_makes_frequent_words_one_token(tokenizer):
    assert len(tokenizer.vocabulary()) <= tokenizer.vocab_size == 320
    red, unseen = (tokenizer([word])['input_ids'].shape[1] - 2 for word in ('red', 'qzx'))
    assert (red, unseen) == (1, 4)  # the space before a word is a byte of its own until merged


def test_batch_ids_and_mask(tokenizer):
    batch = tokenizer(['a red two', 'A  RED\ttwo above'])
    ids, mask = batch['input_ids'].tolist(), batch['attention_mask'].tolist()
    assert (tokenizer.pad_id, tokenizer.sot_id, tokenizer.eot_id) == (0, 1, 2)
    assert ids[0][:4] == ids[1][:4]
    assert ids[0][4:] == [2] + [0] * (len(ids[0]) - 5)
    assert mask == [[1] * 5 + [0] * (len(ids[0]) - 5), [1] * len(ids[0])]
    assert ids[1][-1] == 2


def test_case_is_kept_on_request():
    tokenizer = trained(lower=False)
    assert tokenizer.decode(tokenizer(['A Red tWo'])['input_ids'][0]) == 'A Red tWo'


def test_truncation_is_counted():
    tokenizer = trained(context_length=6)
    batch = tokenizer(['a red two', CAPTIONS[0]])
    assert batch['input_ids'].shape[1] == 6
    assert batch['input_ids'][1, -1] == tokenizer.eot_id
    assert tokenizer.num_truncated == 1


def test_untrained_says_what_to_do():
    tokenizer = TOKENIZERS.build(dict(type='TrainedBPE', vocab_size=300, context_length=16))
    assert not tokenizer.is_trained
    for call in (lambda: tokenizer(['a']), lambda: tokenizer.decode([3])):
        with pytest.raises(ValueError, match=r'call train\(texts\)'):
            call()
    with pytest.raises(ValueError, match='got no text'):
        tokenizer.train([])
    assert not tokenizer.is_trained
    tokenizer.train(iter(CAPTIONS))
    assert tokenizer.is_trained
    with pytest.raises(ValueError, match='has a vocabulary already'):
        tokenizer.train(CAPTIONS)


def test_too_small_a_vocabulary():
    with pytest.raises(ValueError, match='at least 259'):
        TrainedBPE(258)


def test_few_texts_yield_fewer_tokens_than_the_bound():
    tokenizer = TrainedBPE(1000)
    tokenizer.train(['ab'])
    assert len(tokenizer.vocabulary()) < 270
    assert tokenizer.vocab_size == 1000


def test_training_is_deterministic_across_processes(tokenizer, repo_root):
    script = (
        'import json, sys; from florence.models.language.trained_bpe import TrainedBPE;'
        't = TrainedBPE(320); t.train(json.load(sys.stdin)); print(t.to_json())'
    )
    result = subprocess.run(
        [sys.executable, '-c', script],
        input=json.dumps(CAPTIONS),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, 'PYTHONPATH': str(repo_root)},
    )
    assert result.stdout.strip() == tokenizer.to_json()


def test_json_round_trip(tokenizer):
    copy = TrainedBPE.from_json(tokenizer.to_json())
    texts = ['a red seven', 'na\u00efve <eot>']
    assert copy(texts)['input_ids'].tolist() == tokenizer(texts)['input_ids'].tolist()
    assert (copy.vocab_size, copy.context_length, copy.lower) == (320, 76, True)
    assert not TrainedBPE.from_json(TrainedBPE(300).to_json()).is_trained
    with pytest.raises(ValueError, match="found type 'CLIPTokenizer'"):
        TrainedBPE.from_json('{"type": "CLIPTokenizer"}')
