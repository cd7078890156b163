"""Class folders: real sets, matching of names, and text for UniCL."""

import numpy as np
import pytest
from PIL import Image

from florence.datasets import ImageFolder
from florence.datasets.image_folder import match_folders
from florence.tasks.class_names import get_class_names
from florence.tasks.text_hash import text_label


def make_folders(root, *folders: str) -> str:
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / folder / f'{number}.png')
    return str(root)


def test_cifar10(test_data):
    dataset = ImageFolder(str(test_data / 'cls_cifar10' / 'test'), classes='cifar10', templates='cifar10', test_mode=True)
    assert len(dataset) == 1000
    assert dataset.metainfo['classes'] == get_class_names('cifar10')
    info = dataset.get_data_info(150)
    assert info['sample_id'].startswith('automobile/') and info['gt_label'] == 1 and info['templates'] == 'cifar10'
    assert 'text' not in info and 'captions' not in info
    assert dataset.get_data_info(3)['classes'] is dataset.get_data_info(999)['classes']
    assert dataset.get_cat_ids(999) == [9]


def test_sign_digits_match_in_sorted_order(test_data):
    dataset = ImageFolder(str(test_data), data_prefix=dict(img_path='cls_sign_digits/test'), classes='digits')
    info = dataset.get_data_info(len(dataset) - 1)
    assert len(dataset) == 200
    assert info['sample_id'].startswith('9/') and info['classes'][info['gt_label']] == 'nine'


def test_classes_from_folder_names_with_text_for_unicl(tmp_path, train_pipeline):
    dataset = ImageFolder(make_folders(tmp_path, 'dining_table', 'cat'), text_from_class=True, pipeline=train_pipeline)
    assert dataset.metainfo['classes'] == ('cat', 'dining table')
    sample = dataset[3]['data_samples']
    assert (sample.text, sample.gt_label, sample.label) == ('dining table', 1, text_label('dining table'))


def test_names_decide_over_order(tmp_path):
    dataset = ImageFolder(make_folders(tmp_path, 'cat', 'dog'), classes=('Dog', 'Cat'))
    assert [dataset.get_data_info(i)['sample_id'] for i in (0, 2)] == ['dog/0.png', 'cat/0.png']


def test_folders_that_half_agree_are_refused():
    with pytest.raises(ValueError, match='these have none: car'):
        match_folders(['cat', 'automobile'], ['cat', 'car'])
    with pytest.raises(ValueError, match='found 3 class folders for 2 classes: a, b, c'):
        match_folders(['c', 'a', 'b'], ['x', 'y'])
    assert match_folders(['n02', 'n01'], ['tench', 'goldfish']) == ['n01', 'n02']


def test_empty_class_folder_is_refused(tmp_path):
    make_folders(tmp_path, 'cat')
    (tmp_path / 'dog').mkdir()
    with pytest.raises(ValueError, match='dog holds no image'):
        ImageFolder(str(tmp_path))


def test_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match='no sample found'):
        ImageFolder(str(tmp_path))


@pytest.mark.parametrize('options', [dict(templates='cifar11'), dict(classes='cifar11')])
def test_unknown_names_are_refused(tmp_path, options):
    with pytest.raises(KeyError, match='cifar11'):
        ImageFolder(make_folders(tmp_path, 'cat'), **options)
