import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from florence.models.language.hf_tokenizer import HFTokenizer

WORDS = ['[PAD]', '[CLS]', '[SEP]', '[UNK]', 'a', 'red', 'seven', 'blue', 'two']


def save_tokenizer(folder, *, adds_end: bool, **special_tokens):
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token='[UNK]'))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if adds_end:
        tokenizer.post_processor = processors.BertProcessing(('[SEP]', 2), ('[CLS]', 1))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token='[UNK]', **special_tokens).save_pretrained(folder)
    return str(folder)


def test_bert_like(tmp_path):
    folder = save_tokenizer(tmp_path, adds_end=True, pad_token='[PAD]', cls_token='[CLS]', sep_token='[SEP]')
    tokenizer = HFTokenizer(folder, context_length=5)
    batch = tokenizer(['a red seven', 'blue'])
    assert batch['input_ids'].tolist() == [[1, 4, 5, 6, 2], [1, 7, 2, 0, 0]]
    assert batch['attention_mask'].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.sot_id, tokenizer.eot_id) == (9, 0, 1, 2)
    assert tokenizer.decode(batch['input_ids'][0]) == 'a red seven'
    assert tokenizer.num_truncated == 0
    assert tokenizer(['a red seven blue two'])['input_ids'].tolist() == [[1, 4, 5, 6, 2]]
    assert tokenizer.num_truncated == 1
    with pytest.raises(ValueError, match="text '' is empty"):
        tokenizer([''])


def test_gpt_like_gets_an_end_token(tmp_path):
    tokenizer = HFTokenizer(save_tokenizer(tmp_path, adds_end=False, eos_token='[SEP]'), context_length=4)
    batch = tokenizer(['a red', 'a red seven blue'])
    assert batch['input_ids'].tolist() == [[4, 5, 2, 2], [4, 5, 6, 2]]
    assert batch['attention_mask'].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert tokenizer.sot_id is None
    with pytest.raises(ValueError, match='is empty'):
        tokenizer([''])


def test_without_end_token(tmp_path):
    with pytest.raises(ValueError, match='has no end token'):
        HFTokenizer(save_tokenizer(tmp_path, adds_end=False))


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='no tokenizer .* in a local folder or on the Hugging Face hub'):
        HFTokenizer(str(tmp_path / 'nowhere'))
