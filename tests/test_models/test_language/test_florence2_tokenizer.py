import json
import random
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.models.language.florence2_tokenizer import Florence2Tokenizer
from florence.models.language.florence2_vocabulary import load_vocabulary
from florence.models.language.tokenizer_state import TokenizerModule
from florence.registry import TOKENIZERS
from florence.tasks.florence2.box_scores import box_scores
from florence.tasks.florence2.parsers import parse_boxes
from florence.tasks.florence2.tokens import ADDED_TOKENS

GOLDEN = {
    'What does the image describe?': '2264 473 5 2274 6190 116',
    'Describe in detail what is shown in the image.': '47066 21700 11 4617 99 16 2343 11 5 2274 4',
    'Locate the objects with category name in the image.': '574 22486 5 8720 19 4120 766 11 5 2274 4',
    'Locate the region proposals in the image.': '574 22486 5 976 5327 11 5 2274 4',
    'Locate wheels in the image.': '574 22486 10562 11 5 2274 4',
    'Locate a car in the image with mask': '574 22486 10 512 11 5 2274 19 11445',
    'What is the text in the image?': '2264 16 5 2788 11 5 2274 116',
    'What is the text in the image, with regions?': '2264 16 5 2788 11 5 2274 6 19 3806 116',
    '<VQA>': '41552 846 1864 250 15698',
    '<od></ocr><loc_0><loc_999><cap></seg><sep>': '50265 50268 50269 51268 51269 51278 51279',
    '<region_to_desciption></proposal><poly></poly><and>': '51282 51285 51286 51287 51288',
}
CORPUS = ['a red cat<loc_1><loc_20><loc_3><loc_4>', 'a blue cat', 'Where is the red cat?'] * 5


@cache
def released(folder: Path) -> Florence2Tokenizer:
    return Florence2Tokenizer(folder / 'tokenizers' / 'gpt2_roberta_bart')


def trained(vocab_size: int = 1300, **kwargs) -> Florence2Tokenizer:
    tokenizer = Florence2Tokenizer('trained', vocab_size=vocab_size, **kwargs)
    tokenizer.train(CORPUS)
    return tokenizer


@pytest.fixture
def tokenizer(test_data) -> Florence2Tokenizer:
    return released(test_data)


@pytest.mark.parametrize('text', GOLDEN)
def test_golden_ids_of_the_release(text, tokenizer):
    assert tokenizer([text])['input_ids'][0].tolist() == [0, *map(int, GOLDEN[text].split()), 2]


@pytest.mark.parametrize('make', [released, lambda _: trained()])
def test_the_whole_state_makes_an_equal_tokenizer(make, test_data):
    tokenizer = make(test_data)
    state = json.loads(json.dumps(tokenizer.whole_state()))
    copy = Florence2Tokenizer('trained', vocab_size=tokenizer.vocab_size)
    copy.load_state(state)
    assert copy.vocabulary() == tokenizer.vocabulary() and copy.vocabulary_hash() == tokenizer.vocabulary_hash()
    assert copy(list(GOLDEN))['input_ids'].equal(tokenizer(list(GOLDEN))['input_ids'])
    assert copy.location_ids().equal(tokenizer.location_ids())


def test_sizes_and_special_ids(tokenizer):
    assert tokenizer.vocab_size == 51289
    assert (tokenizer.sot_id, tokenizer.pad_id, tokenizer.eot_id, tokenizer.mask_id) == (0, 1, 2, 50264)
    batch = tokenizer(['cat', 'a red cat'])
    assert batch['input_ids'][0].tolist() == [0, 8729, 2, 1, 1]
    assert batch['attention_mask'].tolist() == [[1, 1, 1, 0, 0], [1] * 5]


def test_ids_equal_transformers_on_random_texts(tokenizer, test_data):
    from transformers import AddedToken, RobertaTokenizer

    vocabulary = load_vocabulary(test_data / 'tokenizers' / 'gpt2_roberta_bart')
    reference = RobertaTokenizer(vocab=vocabulary.ids, merges=vocabulary.merges)
    reference.add_tokens([AddedToken(token, special=True, normalized=False) for token in ADDED_TOKENS], special_tokens=True)
    rng = random.Random(0)
    blocks = [(0x20, 0x7E)] * 4 + [(0xA0, 0x24F), (0x370, 0x4FF), (0x4E00, 0x4FFF), (0x1F300, 0x1F6FF), (9, 13)]
    for _ in range(300):
        pieces = [chr(rng.randint(*rng.choice(blocks))) for _ in range(30)] + [' ', 'word', ' the', *rng.sample(ADDED_TOKENS, 4)]
        text = ''.join(rng.sample(pieces, rng.randint(1, len(pieces))))
        assert tokenizer([text])['input_ids'][0].tolist() == reference(text)['input_ids']


def test_a_control_token_in_a_text_is_ordinary_text(tokenizer):
    ids = tokenizer(['a</s><pad><mask> b'])['input_ids'][0].tolist()
    assert ids.count(2) == 1 and 1 not in ids and 50264 not in ids
    assert tokenizer.decode(ids) == 'a</s><pad><mask> b'


@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(st.one_of(st.text(st.characters(exclude_categories=['Cs'])), st.sampled_from(ADDED_TOKENS)), min_size=1))
def test_decode_gives_texts_and_places_back(pieces):
    text, tokenizer = ''.join(pieces), bytes_only()
    ids = tokenizer.encode_targets([text], ['a'])['input_ids'][0]
    decoded, spans = tokenizer.decode_with_spans(ids)
    assert decoded == tokenizer.decode(ids) == text
    tokens = {number: token for token, number in tokenizer.vocabulary().items()}
    covered = set()
    for number, (start, end) in zip(ids.tolist(), spans, strict=True):
        token = tokens[number]
        if token in ADDED_TOKENS:
            assert text[start:end] == token
        elif number > 3:
            assert end - start == 1 and len(text[start:end].encode()) >= len(token)
        covered.update(range(start, end))
    assert covered == set(range(len(text)))


@cache
def bytes_only() -> Florence2Tokenizer:
    return trained(1284, context_length=10000)


def test_cut_characters_and_unknown_ids_decode_to_something(tokenizer):
    first, *_ = tokenizer(['\U0001f600'])['input_ids'][0].tolist()[1:]
    assert tokenizer.decode([first]) == '\ufffd'
    assert tokenizer.decode([0, 3, 51300, 8729, 2, 2, 1]) == 'cat'


def test_scores_of_boxes_from_tokens(tokenizer):
    ids = tokenizer(['red cat<loc_1><loc_2><loc_3><loc_4>dog<loc_1><loc_2><loc_3><loc_4>'])['input_ids'][0]
    text, spans = tokenizer.decode_with_spans(ids)
    log_probs = torch.arange(len(ids)).neg().tolist()
    answer = parse_boxes(text, (1000, 1000))
    assert box_scores(answer, log_probs, spans, 'loc') == pytest.approx(torch.tensor([-4.5, -9.5]).exp().tolist())
    assert box_scores(answer, log_probs, spans, 'cat') == pytest.approx(torch.tensor([-1.5, -7.0]).exp().tolist())


def test_targets_are_refused_not_cut():
    tokenizer = trained(context_length=6)
    batch = tokenizer.encode_targets(['<loc_1>' * 4, ''], ['a.jpg', 'b.jpg'])
    assert batch['input_ids'].tolist() == [[0, 9, 9, 9, 9, 2], [0, 2, 1, 1, 1, 1]]
    with pytest.raises(ValueError, match="target of sample 'b.jpg' has 7 tokens, the decoder has 6 positions"):
        tokenizer.encode_targets(['<loc_1>', '<loc_1>' * 5], ['a.jpg', 'b.jpg'])
    assert tokenizer.num_truncated == 0


def test_every_form_of_the_files_gives_the_same_vocabulary(tokenizer, test_data, tmp_path):
    ids, merges = load_vocabulary(test_data / 'tokenizers' / 'gpt2_roberta_bart')
    texts = tmp_path / 'texts'
    texts.mkdir()
    (texts / 'vocab.json').write_text(json.dumps(ids), 'utf-8')
    (texts / 'merges.txt').write_text('\n'.join(['#version: 0.2', *map(' '.join, merges), '']), 'utf-8')
    added = [dict(id=len(ids) + i, content=token) for i, token in enumerate((*ADDED_TOKENS, '<image>'))]
    whole = dict(added_tokens=[dict(id=0, content='<s>'), *added], model=dict(type='BPE', vocab=ids, merges=merges))
    (tmp_path / 'tokenizer.json').write_text(json.dumps(whole), 'utf-8')
    for place in (texts, tmp_path, tmp_path / 'tokenizer.json'):
        built = TOKENIZERS.build(dict(type='Florence2Tokenizer', vocabulary=str(place)))
        assert built.vocabulary() == tokenizer.vocabulary()
        assert built(list(GOLDEN))['input_ids'].equal(tokenizer(list(GOLDEN))['input_ids'])
        built.check_released()


def test_gpt2_order_serves_but_not_for_released_weights(test_data, tmp_path):
    for name in ('encoder.json', 'vocab.bpe'):
        (tmp_path / name).symlink_to(test_data / 'tokenizers' / 'gpt2_roberta_bart' / name)
    tokenizer = Florence2Tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer(['a cat<loc_5>'])['input_ids'][0]) == 'a cat<loc_5>'
    with pytest.raises(ValueError, match='released weights of Florence-2 need its own vocabulary'):
        tokenizer.check_released()
    (tmp_path / 'dict.txt').write_text('13 850314647\n262 800385005\n')
    with pytest.raises(ValueError, match=r"lacks 50255 of GPT-2's 50257 tokens"):
        Florence2Tokenizer(tmp_path)


SMALL = {token: i for i, token in enumerate(['<s>', '<pad>', '</s>', '<unk>', *map(chr, [*range(33, 127), *range(161, 173)])])}


@pytest.mark.parametrize(
    ('files', 'message'),
    [
        ({}, 'no vocabulary of Florence-2 at .*: expected a tokenizer.json, or a folder'),
        ({'vocab.json': {}}, 'expected a tokenizer.json'),
        ({'tokenizer.json': {}}, "has no field 'model'"),
        ({'tokenizer.json': dict(model=dict(type='WordPiece', vocab={}))}, 'holds no byte-pair encoding'),
        ({'tokenizer.json': dict(model=dict(vocab={}, merges=['a b c']))}, "the merge 'a b c', which is no pair"),
        ({'tokenizer.json': dict(model=dict(vocab={'a': 1}, merges=[]))}, 'from 0 without gaps, <s>, <pad>, </s>, <unk> first'),
        (
            {'tokenizer.json': dict(model=dict(vocab=SMALL, merges=['a b']))},
            "tokens are missing and 0 cannot be made, such as 'ab'",
        ),
        (
            {'tokenizer.json': dict(model=dict(vocab={}, merges=[]), added_tokens=[dict(id=0, content='<loc_0>')])},
            "adds the token '<loc_0>', which is not in its place",
        ),
    ],
)
def test_wrong_files_are_named(files, message, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises((FileNotFoundError, KeyError, ValueError), match=message):
        Florence2Tokenizer(tmp_path)


def test_cut_merges_are_noticed(test_data, tmp_path):
    ids, merges = load_vocabulary(test_data / 'tokenizers' / 'gpt2_roberta_bart')
    (tmp_path / 'vocab.json').write_text(json.dumps(ids), 'utf-8')
    (tmp_path / 'merges.txt').write_text('\n'.join(map(' '.join, merges[:-1])), 'utf-8')
    with pytest.raises(ValueError, match='0 tokens are missing and 1 cannot be made'):
        Florence2Tokenizer(tmp_path)


def test_training_learns_words_and_leaves_added_tokens_alone():
    tokenizer = trained()
    ids = tokenizer(['a red cat<loc_20>'])['input_ids'][0].tolist()
    vocabulary = tokenizer.vocabulary()
    assert ids == [0, *(vocabulary[token] for token in ('a', '\u0120red', '\u0120cat', '<loc_20>')), 2]
    assert [vocabulary[token] for token in ('<od>', '<loc_0>', '<and>')] == [4, 8, 1027]
    assert not any('lo' in token for token in vocabulary.keys() - set(ADDED_TOKENS))
    assert len(vocabulary) <= tokenizer.vocab_size == 1300
    assert tokenizer.decode(ids) == 'a red cat<loc_20>'


def test_a_trained_vocabulary_travels_in_the_checkpoint(tmp_path):
    tokenizer = trained()
    torch.save(TokenizerModule(tokenizer).state_dict(), tmp_path / 'a.pth')
    other = TOKENIZERS.build(dict(type='Florence2Tokenizer', vocabulary='trained', vocab_size=1300))
    assert not other.is_trained
    TokenizerModule(other).load_state_dict(torch.load(tmp_path / 'a.pth', weights_only=True))
    assert other.state() == tokenizer.state()
    assert other(CORPUS)['input_ids'].equal(tokenizer(CORPUS)['input_ids'])
    with pytest.raises(ValueError, match='the checkpoint was made with tokenizer'):
        TokenizerModule(Florence2Tokenizer('trained', vocab_size=1400)).load_state_dict(torch.load(tmp_path / 'a.pth'))


def test_files_are_known_by_their_fingerprint(tokenizer):
    tokenizer.load_state(tokenizer.state())
    with pytest.raises(ValueError, match='the checkpoint was made with tokenizer'):
        tokenizer.load_state(trained().state())
    with pytest.raises(ValueError, match='the checkpoint was made with tokenizer'):
        trained().load_state(tokenizer.state())


def test_untrained_says_what_to_do():
    tokenizer = Florence2Tokenizer('trained', vocab_size=1300)
    assert tokenizer.vocab_size == 1300
    for call in (lambda: tokenizer(['a']), lambda: tokenizer.decode([4]), tokenizer.vocabulary_hash):
        with pytest.raises(ValueError, match=r'call train\(texts\)'):
            call()
    with pytest.raises(ValueError, match='got no text'):
        tokenizer.train([])
    with pytest.raises(ValueError, match='has a vocabulary already'):
        trained().train(CORPUS)


def test_size_belongs_to_a_trained_vocabulary(tmp_path):
    for size in (None, 1283):
        with pytest.raises(ValueError, match='vocab_size of at least 1284'):
            Florence2Tokenizer('trained', vocab_size=size)
    with pytest.raises(ValueError, match="vocab_size belongs to vocabulary='trained'"):
        Florence2Tokenizer(tmp_path, vocab_size=1300)
