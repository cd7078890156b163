"""Training of the tokenizer before the first iteration."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MMLogger
from torch.utils.data import ConcatDataset, Dataset

from florence.engine.hooks.train_tokenizer import TrainTokenizerHook, captions_of
from florence.models.language import TrainedBPE


class Captions(Dataset):
    def __init__(self, *texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def captions(self):
        return iter(self.texts)


def runner(tokenizer, dataset):
    model = SimpleNamespace(tokenizer=SimpleNamespace(tokenizer=tokenizer))
    logger = MMLogger.get_instance('test')
    return SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=dataset), logger=logger)


def test_the_vocabulary_comes_from_all_parts_and_the_templates():
    tokenizer = TrainedBPE(vocab_size=400)
    TrainTokenizerHook().before_train(runner(tokenizer, ConcatDataset([Captions('crimson ' * 9), Captions('azure ' * 9)])))
    assert {len(tokenizer([word])['input_ids'][0]) for word in ('crimson', 'azure', 'photo')} == {3}


def test_further_texts_are_learnt_for_tasks_that_will_start_from_the_model():
    tokenizer = TrainedBPE(vocab_size=400)
    TrainTokenizerHook(more_texts=['crimson']).before_train(runner(tokenizer, Captions('azure ' * 9)))
    assert {len(tokenizer([word])['input_ids'][0]) for word in ('crimson', 'azure')} == {3}


def test_a_trained_vocabulary_is_left_as_it_is():
    tokenizer = TrainedBPE(vocab_size=300)
    tokenizer.train(['green'])
    before = tokenizer.state()
    TrainTokenizerHook().before_train(runner(tokenizer, Captions('azure')))
    assert tokenizer.state() == before


def test_a_set_without_captions_is_named():
    with pytest.raises(ValueError, match='list has no method captions'):
        list(captions_of([]))
