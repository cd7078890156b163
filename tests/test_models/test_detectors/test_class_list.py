"""Class names of a zero-shot detector: overrides, shared names, background."""

import pytest

from florence.models.detectors.class_list import make_class_list
from florence.tasks.background_names import GENERIC_BACKGROUND, without_classes


def test_overrides_change_what_is_read_not_what_is_labelled():
    result = make_class_list(['cat', 'dog-person'], {'dog-person': 'dog', 'of another set': 'x'})
    assert result.classes == ('cat', 'dog-person') and result.names == ('cat', 'dog') and result.labels == (0, 1)


def test_a_shared_name_is_read_once_and_carries_the_first_label(monkeypatch):
    said = []
    monkeypatch.setattr('florence.models.detectors.class_list.print_log', lambda message, *_: said.append(message))
    classes = ['bird', 'dog', ' dog', 'hound-1']
    result = make_class_list(classes, {'hound-1': 'dog'})
    assert result.names == ('bird', 'dog') and result.labels == (0, 1)
    assert len(said) == 2 and "classes 1 ('dog') and 3 ('hound-1') share the name 'dog'" in said[1]
    make_class_list(classes, {'hound-1': 'dog'})
    assert len(said) == 2, 'said once'


def test_background():
    assert make_class_list(['a', 'b']).background == ()
    assert make_class_list(['a']).background == GENERIC_BACKGROUND
    assert make_class_list(['a', 'b'], {'b': 'a'}).background == GENERIC_BACKGROUND, 'one name in truth'
    assert make_class_list(['Sky'], None, 'auto').background == tuple(name for name in GENERIC_BACKGROUND if name != 'sky')
    assert make_class_list(['a', 'b'], None, ['c', ' C', 'B']).background == ('c',)
    assert make_class_list(['a'], None, None).background == ()
    assert without_classes(['x', 'X ', 'y'], ['Y']) == ('x',)


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        ([], 'at least one class'),
        (['a', ''], "name 1 is ''"),
        (['a', None], 'name 1 is None'),
        ('dog', 'put a single name in a list'),
        ({'dog': 1}, 'must be a list of names'),
    ],
)
def test_names_that_are_none(classes, message):
    with pytest.raises(ValueError, match=message):
        make_class_list(classes)


def test_unknown_background():
    with pytest.raises(ValueError, match="'auto' or a list"):
        make_class_list(['a'], None, 'generic')
