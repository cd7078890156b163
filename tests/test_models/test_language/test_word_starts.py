"""Words begin where they begin, in each kind of vocabulary; the mask token is a token of its own."""

import importlib.util

import pytest
import torch
from conftest import REPO_ROOT

from florence.models.language import CLIPTokenizer, HFTokenizer, TrainedBPE
from florence.models.language.word_starts import word_tables


def words_of(tokenizer, text: str) -> list[int]:
    """Number of tokens of each word, special tokens left out."""
    ids = tokenizer([text])['input_ids'][0]
    starts = tokenizer.begins_word(ids)[1:-1].long()
    return torch.bincount(starts.cumsum(0) - 1).tolist()


@pytest.fixture(scope='module')
def roberta_files():
    import os

    folder = os.environ.get('FLORENCE_TEST_DATA', REPO_ROOT.parent / 'shared' / 'data')
    source = REPO_ROOT.parent / folder / 'tokenizers' / 'gpt2_roberta_bart'
    if not source.is_dir():
        pytest.skip(f'no test data at {source}: set FLORENCE_TEST_DATA')
    spec = importlib.util.spec_from_file_location(
        'roberta_tokenizer', REPO_ROOT / 'tools/dataset_converters/roberta_tokenizer.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool, [source / name for name in ('encoder.json', 'vocab.bpe', 'dict.txt')]


@pytest.fixture(scope='module')
def roberta(roberta_files, tmp_path_factory):
    tool, files = roberta_files
    out = tmp_path_factory.mktemp('roberta')
    tool.main([*map(str, files), str(out)])
    return HFTokenizer(str(out), context_length=50)


def test_roberta_vocabulary_is_the_published_one(roberta):
    ids = roberta(['Hello world', 'a <mask> sits'])['input_ids'].tolist()
    assert ids[0] == [0, 31414, 232, 2, 1] and ids[1][2] == 50264
    assert (roberta.vocab_size, roberta.pad_id, roberta.sot_id, roberta.eot_id, roberta.mask_id) == (50265, 1, 0, 2, 50264)
    assert roberta.special_ids == {0, 1, 2, 3, 50264} and len(roberta.ordinary_ids()) == 50260
    assert roberta.decode(roberta(['An unbelievably grumpy corgi.'])['input_ids'][0]) == 'An unbelievably grumpy corgi.'


def test_files_that_do_not_fit_make_no_tokenizer(roberta_files, tmp_path):
    tool, (encoder, merges, counts) = roberta_files
    few = tmp_path / 'few.bpe'
    few.write_text('\n'.join(merges.read_text(encoding='utf-8').splitlines()[:100]), encoding='utf-8')
    out = tmp_path / 'out'
    for files, message in [
        ((encoder, few, counts), 'few.bpe is not the vocab.bpe'),
        ((encoder, counts, counts), 'dict.txt is not the vocab.bpe'),
        ((merges, encoder, counts), 'vocab.bpe is not encoder.json'),
    ]:
        with pytest.raises(SystemExit, match=message):
            tool.main([*map(str, files), str(out)])
    assert not out.exists()
    out.write_text('a file')
    with pytest.raises(SystemExit, match='exists'):
        tool.main([str(encoder), str(merges), str(counts), str(out)])


def test_words_of_roberta(roberta):
    # An | unbelievably | gr umpy - looking | cor gi | sits .
    assert words_of(roberta, 'An unbelievably grumpy-looking corgi sits.') == [1, 1, 4, 2, 2]


def test_words_of_clip(test_data):
    tokenizer = CLIPTokenizer(vocab_file=test_data / 'tokenizers' / 'clip' / 'bpe_simple_vocab_16e6.txt.gz')
    ids = tokenizer(['an unbelievably grumpy labradoodlish corgi'])['input_ids'][0]
    pieces = [{number: token for token, number in tokenizer.vocabulary().items()}[i] for i in ids.tolist()[1:-1]]
    ends = [piece.endswith('</w>') for piece in pieces]
    assert len(ends) > 5 and sum(ends) == 5, pieces
    assert tokenizer.begins_word(ids).tolist() == [True, True, *ends[:-1], True]
    assert tokenizer.mask_id is None and 0 not in tokenizer.special_ids


def test_words_of_a_trained_vocabulary():
    tokenizer = TrainedBPE(300, mask_token=True)
    tokenizer.train(['red seven above blue two', 'seven blue'] * 20)
    assert words_of(tokenizer, 'seven qzx red') == [1, 4, 1]


@pytest.mark.parametrize(
    ('tokens', 'begins'),
    [
        (['[CLS]', 'play', '##ing', 'chess', '[SEP]'], [1, 1, 0, 1, 1]),
        (['[CLS]', '\u2581play', 'ing', '\u2581chess', '[SEP]'], [1, 1, 0, 1, 1]),
        (['[CLS]', 'play', 'ing</w>', 'chess</w>', '[SEP]'], [1, 0, 0, 0, 1]),
        (['[CLS]', 'play', 'ing', 'chess', '[SEP]'], [1, 1, 1, 1, 1]),
    ],
)
def test_marks_of_vocabularies(tokens, begins):
    vocabulary = {token: number for number, token in enumerate(tokens)}
    found, next_begins = word_tables(vocabulary, 6, {0, 4})
    assert found.tolist() == [bool(value) for value in begins] + [False]
    is_end_marked = 'ing</w>' in vocabulary
    assert next_begins.tolist() == [True, False, is_end_marked, is_end_marked, True, False]


def test_mask_token_of_a_trained_vocabulary():
    tokenizer = TrainedBPE(300, mask_token=True)
    tokenizer.train(['a red seven', 'a <mask> seven'])
    ids = tokenizer(['a <mask> seven'])['input_ids'][0].tolist()
    assert tokenizer.mask_id == 3 and 3 not in ids and tokenizer.vocabulary()['<mask>'] == 3
    assert tokenizer.decode([1, 3, *ids[1:]]) == 'a <mask> seven'
    assert tokenizer.special_ids == {0, 1, 2, 3} and min(tokenizer.ordinary_ids()) == 4
    copy = TrainedBPE.from_json(tokenizer.to_json())
    assert copy.mask_id == 3 and copy(['a seven'])['input_ids'].tolist() == tokenizer(['a seven'])['input_ids'].tolist()
    with pytest.raises(ValueError, match='at least 260'):
        TrainedBPE(259, mask_token=True)


def test_checkpoints_from_before_the_mask_token_load():
    plain = TrainedBPE(300)
    plain.train(['a red seven'])
    state = plain.state()
    del state['mask_token']
    again = TrainedBPE(300)
    again.load_state(state)
    assert again.mask_id is None and again.vocabulary() == plain.vocabulary()
    with pytest.raises(ValueError, match='mask_token=False, this model has mask_token=True'):
        TrainedBPE(300, mask_token=True).load_state(state)


def test_tables_follow_the_vocabulary_of_a_checkpoint():
    first, second = TrainedBPE(300), TrainedBPE(300)
    first.train(['aaaa bbbb'] * 9)
    second.train(['cccc dddd'] * 9)
    first.begins_word(first(['aaaa'])['input_ids'])
    first.ordinary_ids()
    first.load_state(second.state())
    assert words_of(first, 'cccc dddd') == [1, 1] and first.ordinary_ids().tolist() == second.ordinary_ids().tolist()


def test_files_that_are_not_robertas_are_refused(tmp_path):
    spec = importlib.util.spec_from_file_location(
        'roberta_tokenizer', REPO_ROOT / 'tools/dataset_converters/roberta_tokenizer.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (tmp_path / 'encoder.json').write_text('{"a": 0}')
    (tmp_path / 'vocab.bpe').write_text('#version: 0.2\n')
    (tmp_path / 'dict.txt').write_text('0 9\n7 5\n')
    arguments = [str(tmp_path / name) for name in ('encoder.json', 'vocab.bpe', 'dict.txt', 'out')]
    with pytest.raises(SystemExit, match=r"expected 50260 tokens .* found 2, among them \['7'\] which has no place"):
        tool.main(arguments)
    assert not (tmp_path / 'out').exists()
