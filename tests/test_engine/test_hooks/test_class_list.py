"""Labels of the data and of the detector are compared before anything is computed."""

from types import SimpleNamespace

import pytest
from torch import nn

from florence.engine.hooks import ClassListHook


def head(num_classes):
    module = nn.Identity()
    module.num_classes = num_classes
    return module


def runner(model, classes):
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=classes))))
    return SimpleNamespace(model=model, train_loop=loop, val_loop=loop, test_loop=loop)


class Named(nn.Module):
    """A detector that is told its classes."""

    told = None

    def set_classes(self, names):
        self.told = names


STAGES = ('before_train', 'before_val', 'before_test')


@pytest.mark.parametrize('stage', STAGES)
def test_every_head_needs_as_many_classes_as_the_data(stage):
    model = nn.ModuleDict(dict(backbone=head(1000), rpn_head=head(1), bbox_head=head(2)))
    check = getattr(ClassListHook(), stage)
    check(runner(model, ('cat', 'dog')))
    check(runner(model, None))
    with pytest.raises(ValueError, match=r'bbox_head has num_classes=2, but the data set has 1 classes \(cat\)'):
        check(runner(model, ['cat']))


def test_a_detector_of_names_is_told_those_of_the_evaluation():
    model = Named()
    ClassListHook().before_train(runner(model, ('cat',)))
    assert model.told is None
    wrapped = nn.Module()
    wrapped.module = model
    for stage in STAGES[1:]:
        model.told = None
        getattr(ClassListHook(), stage)(runner(wrapped, ['owl', 'cat']))
        assert model.told == ('owl', 'cat')


def test_several_sets_are_left_alone():
    loop, model = SimpleNamespace(dataloader=object()), head(2)
    model.set_classes = lambda names: pytest.fail(f'told {names}')
    ClassListHook().before_val(SimpleNamespace(model=model, val_loop=loop))
