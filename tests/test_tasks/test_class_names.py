"""Class names: numbers, order, and agreement with the folders of real data."""

import sys

import pytest

from florence.tasks import class_names
from florence.tasks.class_names import CLASS_NAMES, get_class_names, read_class_names


@pytest.mark.parametrize(
    ('name', 'count'),
    [('cifar10', 10), ('cifar100', 100), ('digits', 10), ('imagenet', 1000), ('stl10', 10), ('voc2007', 20)],
)
def test_number_of_classes(name, count):
    if name == 'imagenet':
        pytest.importorskip('open_clip')
    assert len(get_class_names(name)) == count


@pytest.mark.parametrize('name', CLASS_NAMES)
def test_names_are_unique_words(name):
    names = get_class_names(name)
    assert len(set(names)) == len(names)
    assert all(one == one.strip() and one and '_' not in one for one in names)


@pytest.mark.parametrize('name', ['cifar10', 'cifar100', 'stl10'])
def test_indices_follow_the_alphabet_as_in_the_original_files(name):
    assert list(get_class_names(name)) == sorted(get_class_names(name))


def test_some_indices():
    assert get_class_names('cifar100')[41] == 'lawn mower'
    assert get_class_names('cifar100')[99] == 'worm'
    assert get_class_names('voc2007')[14] == 'person'
    assert get_class_names('digits')[7] == 'seven'


def test_cifar10_names_are_the_folders_of_the_real_data(test_data):
    assert get_class_names('cifar10') == tuple(sorted(path.name for path in (test_data / 'cls_cifar10' / 'test').iterdir()))


def test_same_object_on_every_call():
    assert get_class_names('cifar10') is get_class_names('cifar10')


def test_unknown_set_names_the_known_ones():
    with pytest.raises(KeyError, match='voc2007'):
        get_class_names('voc2008')


def test_imagenet_without_open_clip_says_what_to_install(monkeypatch):
    class_names._imagenet.cache_clear()
    monkeypatch.setitem(sys.modules, 'open_clip', None)
    monkeypatch.setitem(sys.modules, 'open_clip.zero_shot_metadata', None)
    with pytest.raises(ImportError, match='open_clip_torch'):
        get_class_names('imagenet')


def test_names_are_read_from_a_file_or_are_those_of_a_set(tmp_path):
    file = tmp_path / 'names.txt'
    file.write_bytes('\ufeffarchery\r\n\n danse à deux \n'.encode())
    assert read_class_names(str(file)) == ('archery', 'danse à deux')
    assert read_class_names('digits') == get_class_names('digits')
    with pytest.raises(FileNotFoundError, match="no file of class names 'none.txt', and no class names for 'none.txt'; known: "):
        read_class_names('none.txt')
    for content, message in ((b'\n', 'holds no class name'), ('é'.encode('latin-1'), 'must be a text in UTF-8')):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_class_names(str(file))
