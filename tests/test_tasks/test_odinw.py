"""The list of ODinW sets, their prompts, and finding their files."""

import json
import shutil

import pytest
from odinw_files import write_bccd, write_split

from florence.tasks.detection_prompts import PROMPT_SETS, detection_prompts
from florence.tasks.odinw import SETS, sets_of
from florence.tasks.odinw_folders import find_few_shot, find_split

BY_NAME = {each.name: each for each in SETS}
BCCD = BY_NAME['BCCD']


def test_groups():
    assert [len(sets_of(group)) for group in ('florence11', 'odinw13', 'odinw35')] == [11, 13, 35]
    assert len(BY_NAME) == len({each.folder for each in SETS}) == 35
    # Table 7 has 12 classes of chess pieces and 22,156 images in all; five of its sets are among the thirteen.
    paper = sets_of('florence11')
    assert sum(each.table7_images for each in paper) == 22_156
    assert [each.num_classes for each in paper] == [7, 3, 12, 2, 37, 2, 1, 1, 1, 2, 1]
    assert sum(each.in_odinw13 for each in paper) == 5
    assert sum(each.glip_split == 'mini_val' for each in SETS) == 11
    with pytest.raises(KeyError, match='florence11, odinw13, odinw35'):
        sets_of('odinw14')


def test_prompts():
    assert detection_prompts('BCCD', ('RBC', 'WBC'), 'readable') == {'RBC': 'red blood cell', 'WBC': 'white blood cell'}
    assert detection_prompts('BCCD', ('RBC',), 'file') == detection_prompts('BCCD', ('RBC',), 'glip') == {}
    assert detection_prompts('OxfordPets_by_breed', ('dog-basset_hound',), 'readable') == {
        'dog-basset_hound': 'basset hound, a breed of dog'
    }
    assert detection_prompts('dice', ('6',), 'readable') == {'6': 'die that shows 6'}
    assert detection_prompts('unknown set', ('small_fish', 'fish'), 'readable') == {'small_fish': 'small fish'}
    assert detection_prompts('EgoHands_generic', ('hand',), 'glip') == {'hand': 'hand of a person'}
    with pytest.raises(KeyError, match=', '.join(PROMPT_SETS)):
        detection_prompts('BCCD', ('RBC',), 'best')


def test_roboflow_layout(test_data, tmp_path):
    write_bccd(tmp_path, test_data)
    found = find_split(tmp_path, BCCD, 'test')
    assert found.ann_file == tmp_path / 'BCCD/BCCD.v3-raw.coco/test/_annotations.coco.json'
    assert (found.img_dir, found.num_images) == (found.ann_file.parent, 4)
    assert set(found.classes) == {'Platelets', 'RBC', 'WBC'}, 'the group of all classes is none of them'
    assert find_split(tmp_path, BY_NAME['PKLot'], 'test') is None
    with pytest.raises(FileNotFoundError, match="BCCD: no annotation file of the split 'valid'"):
        find_split(tmp_path, BCCD, 'valid')


def test_a_folder_by_the_name_of_the_set(test_data, tmp_path):
    write_bccd(tmp_path, test_data)
    shutil.move(tmp_path / 'BCCD/BCCD.v3-raw.coco', tmp_path / 'moved')
    shutil.move(tmp_path / 'moved', tmp_path / 'BCCD/other export')
    assert find_split(tmp_path, BCCD, 'test').ann_file.parent == tmp_path / 'BCCD/other export/test'
    shutil.copytree(tmp_path / 'BCCD/other export', tmp_path / 'BCCD/again')
    with pytest.raises(ValueError, match='several annotation files'):
        find_split(tmp_path, BCCD, 'test')


def test_glip_layouts(test_data, tmp_path):
    pistols, voc, pets = BY_NAME['pistols'], BY_NAME['PascalVOC'], BY_NAME['OxfordPets_by_breed']
    name = 'annotations_without_background.json'
    write_split(tmp_path / 'pistols/export', '', 2, test_data, f'val_{name}', group=False)
    assert find_split(tmp_path, pistols, 'valid').ann_file.name == f'val_{name}'
    write_split(tmp_path / 'PascalVOC', 'valid', 2, test_data, name)
    assert find_split(tmp_path, voc, 'test').ann_file.parent.name == 'valid', 'this set has no test split'
    for split in ('mini_val', 'valid'):
        write_split(tmp_path / 'OxfordPets/by-breed', split, 2, test_data, name)
    assert find_split(tmp_path, pets, 'glip').ann_file.parent.name == 'mini_val'
    write_split(tmp_path / 'OxfordPets/by-breed', 'train', 3, test_data, 'fewshot_train_shot1_seed30.json')
    assert find_few_shot(tmp_path, pets, 1, 30).num_images == 3
    assert find_few_shot(tmp_path, pets, 1, 3) is None


def test_placeholders_and_faults(test_data, tmp_path):
    path = write_split(tmp_path / 'ChessPieces', 'test', 1, test_data)
    content = json.loads(path.read_text())
    content['categories'] += [{'id': 90, 'name': 'bishop'}, {'id': 91, 'name': '  '}]
    path.write_text(json.dumps(content))
    assert set(find_split(tmp_path, BY_NAME['ChessPieces'], 'test').classes) == {'Platelets', 'RBC', 'WBC'}
    content['annotations'][0]['category_id'] = 91
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='category 91 has boxes and no name'):
        find_split(tmp_path, BY_NAME['ChessPieces'], 'test')
    content['annotations'][0]['category_id'] = 90
    content['categories'][-2]['name'] = 'RBC'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="several categories called 'RBC'"):
        find_split(tmp_path, BY_NAME['ChessPieces'], 'test')
    del content['categories'][-1]['name']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not of COCO form: KeyError 'name'"):
        find_split(tmp_path, BY_NAME['ChessPieces'], 'test')
    path.write_text(json.dumps(content)[:-100])
    with pytest.raises(ValueError, match='cut short or not of COCO form'):
        find_split(tmp_path, BY_NAME['ChessPieces'], 'test')
