import json
import random
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.models.language.clip_tokenizer import CLIPTokenizer
from florence.models.language.clip_vocabulary import load_merges
from florence.registry import TOKENIZERS

open_clip = pytest.importorskip('open_clip')

TEXTS = [
    'a photo of a cat',
    "It's the dog's 2nd-best 12,345.67 toys; don't they'll we've I'm you'd you're",
    '  white \t\n\r\x0b\u00a0\u2003space  ',
    'caf\u00e9 na\u00efve \u00fcber stra\u00dfe \u0130stanbul \u03a3\u0391\u03a3 \ufb01ne \u1e9e',
    'caf\u00c3\u00a9 mojibake \u00e2\u20ac\u0153quoted\u00e2\u20ac\u009d',
    'AT&amp;T &amp;amp; &lt;b&gt; &eacute; &#9731;',
    '\u4e2d\u6587\u5b57 \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4 \u0627\u0644\u0639\u0631\u0628\u064a\u0629',
    '\u05e2\u05d1\u05e8\u05d9\u05ea',
    '\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7 \u2764\ufe0f',
    "'\u017f \u212a \u00b2\u00bd\u2167 \u0663",
    '!!!??? --- ___ #tag @user http://x.y/z?q=1&r=2',
    'x' * 500,
    'word ' * 200,
    'e\u0301 combining vs \u00e9 composed \ufeff bom \x07 bell',
    '',
]


@pytest.fixture(scope='module')
def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer(context_length=77)


@pytest.fixture(scope='module')
def reference():
    return open_clip.SimpleTokenizer(context_length=77)


def ids_of(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    """Ids of one text, padded as open_clip does."""
    ids = tokenizer([text])['input_ids'][0].tolist()
    return ids + [0] * (77 - len(ids))


@pytest.mark.parametrize('text', [text for text in TEXTS if text])
def test_ids_equal_open_clip(text, tokenizer, reference):
    assert ids_of(tokenizer, text) == reference([text])[0].tolist()


def test_ids_equal_open_clip_on_random_unicode(tokenizer, reference):
    rng = random.Random(0)
    blocks = [
        (0x20, 0x7E),
        (0xA0, 0x24F),
        (0x370, 0x3FF),
        (0x400, 0x4FF),
        (0x4E00, 0x4FFF),
        (0x1F300, 0x1F6FF),
    ]
    texts = []
    for _ in range(400):
        pieces = [chr(rng.randint(*rng.choice(blocks))) for _ in range(rng.randint(1, 30))]
        text = 'a ' + ''.join(piece if rng.random() < 0.8 else piece + ' ' for piece in pieces)
        texts.append(text)
    batch = tokenizer(texts)['input_ids']
    batch = torch.nn.functional.pad(batch, (0, 77 - batch.shape[1]))
    expected = reference(texts)
    wrong = [text for text, ours, theirs in zip(texts, batch, expected, strict=True) if not torch.equal(ours, theirs)]
    assert not wrong


def test_ids_equal_open_clip_on_real_captions(tokenizer, reference, test_data):
    captions = json.loads((test_data / 'imgtext_emoji_noto' / 'pairs.json').read_text('utf-8'))
    texts = sorted({value for record in captions for value in record.values() if isinstance(value, str) and value})
    texts = texts[:500]
    batch = tokenizer(texts)['input_ids']
    assert torch.equal(torch.nn.functional.pad(batch, (0, 77 - batch.shape[1])), reference(texts))


@settings(max_examples=50, deadline=None)
@given(words=st.lists(st.text('abcdefghijklmnopqrstuvwxyzABCXYZ', min_size=1, max_size=9), min_size=1, max_size=8))
def test_decode_gives_the_words_back(words, tokenizer):
    ids = tokenizer([' '.join(words)])['input_ids'][0]
    assert tokenizer.decode(ids) == ' '.join(words).lower()


def test_special_ids_and_sizes(tokenizer):
    assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.sot_id, tokenizer.eot_id) == (
        49408,
        0,
        49406,
        49407,
    )
    batch = tokenizer(['a cat', 'a very small cat'])
    assert batch['attention_mask'].tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    assert batch['input_ids'].dtype == batch['attention_mask'].dtype == torch.int64
    assert batch['input_ids'][0].tolist() == [49406, 320, 2368, 49407, 0, 0]


def test_spelled_special_token_is_ordinary_text(tokenizer):
    ids = tokenizer(['a <end_of_text> b'])['input_ids'][0].tolist()
    assert ids.count(49407) == 1
    assert ids[-1] == 49407


def test_long_text_is_cut_keeps_its_end_and_is_counted(capsys):
    tokenizer = CLIPTokenizer()
    batch = tokenizer(['cat ' * 100, 'a cat'])
    assert batch['input_ids'].shape == (2, 76)
    assert batch['input_ids'][0].tolist() == [49406] + [2368] * 74 + [49407]
    assert tokenizer.num_truncated == 1
    tokenizer(['cat ' * 74])
    assert tokenizer.num_truncated == 1
    tokenizer(['cat ' * 75] * 10)
    assert tokenizer.num_truncated == 11


def test_truncation_is_said_at_powers_of_ten(monkeypatch):
    said = []
    monkeypatch.setattr('florence.models.language.base_tokenizer.print_log', lambda message, **kwargs: said.append(message))
    tokenizer = CLIPTokenizer(context_length=3)
    for _ in range(105):
        tokenizer(['two words'])
    assert [message.split(' text(s)')[0].split()[-1] for message in said] == ['1', '10', '100']
    assert 'context_length=3' in said[0] and 'had 4' in said[0]


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        (['a cat', ''], "text '' is empty"),
        (['  \n'], 'is empty'),
        ([], 'got nothing'),
        ('a cat', "the single text 'a cat'"),
        ([3], 'items of type int'),
    ],
)
def test_wrong_input_is_named(texts, message, tokenizer):
    with pytest.raises(ValueError, match=message):
        tokenizer(texts)


def test_context_length_must_hold_a_token():
    with pytest.raises(ValueError, match='at least 3'):
        CLIPTokenizer(context_length=2)


def test_vocabulary_from_every_kind_of_file(tmp_path, tokenizer, test_data):
    merges = load_merges(test_data / 'tokenizers' / 'clip' / 'bpe_simple_vocab_16e6.txt.gz')
    (tmp_path / 'txt').mkdir()
    (tmp_path / 'json').mkdir()
    lines = ['#version: 0.2', *map(' '.join, merges)]
    (tmp_path / 'txt' / 'merges.txt').write_text('\n'.join(lines) + '\n', 'utf-8')
    (tmp_path / 'json' / 'tokenizer.json').write_text(json.dumps({'model': {'merges': merges}}), 'utf-8')
    for folder in ('txt', 'json'):
        built = TOKENIZERS.build(dict(type='CLIPTokenizer', vocab_file=str(tmp_path / folder)))
        assert built.vocabulary() == tokenizer.vocabulary()


def test_wrong_vocabulary_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no CLIP vocabulary at'):
        CLIPTokenizer(vocab_file=tmp_path)
    (tmp_path / 'merges.txt').write_text('#version: 0.2\na b\n')
    with pytest.raises(ValueError, match='does not hold the 48894 merges'):
        CLIPTokenizer(vocab_file=tmp_path)


def test_without_open_clip_the_hub_is_asked_and_offline_is_said(monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)

    def offline(repository, name):
        assert (repository, name) == ('openai/clip-vit-base-patch32', 'merges.txt')
        raise ConnectionError('no network')

    monkeypatch.setattr('huggingface_hub.hf_hub_download', offline)
    with pytest.raises(FileNotFoundError, match='cannot be fetched .ConnectionError.; pass vocab_file'):
        CLIPTokenizer()


def test_missing_ftfy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ftfy', None)
    with pytest.raises(ImportError, match='pip install ftfy'):
        CLIPTokenizer()
