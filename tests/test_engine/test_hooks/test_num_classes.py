"""A recogniser whose head does not fit the classes of the data is refused before it trains."""

from types import SimpleNamespace

import pytest
from torch import nn

from florence.engine.hooks import NumClassesHook


def runner(num_classes, classes):
    model = nn.Module()
    model.cls_head = SimpleNamespace(num_classes=num_classes)
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={'classes': classes}))
    return SimpleNamespace(model=model, train_dataloader=loader, test_dataloader=loader)


@pytest.mark.parametrize('when', ['before_train', 'before_test'])
def test_numbers_must_agree(when):
    check = getattr(NumClassesHook(), when)
    check(runner(2, ('fight', 'noFight')))
    check(runner(400, None))  # lists without names tell no number
    for number in (1, 5):
        with pytest.raises(ValueError, match=f'the model has {number} classes, the data have 2 .fight, noFight.*num_classes=2'):
            check(runner(number, ('fight', 'noFight')))


def test_models_without_such_a_head_pass():
    without = runner(1, ('a', 'b'))
    without.model = nn.Linear(1, 1)
    NumClassesHook().before_train(without)
