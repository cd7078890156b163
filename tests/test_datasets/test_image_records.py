"""Files of records."""

import json

import pytest

from florence.datasets import ImageRecords

DOG = {'image': 'dog.png', 'texts': {'brief': 'a dog'}, 'regions': []}


def write(folder, records, name='records.jsonl'):
    path = folder / name
    path.write_text('\n'.join(map(json.dumps, records)) if name.endswith('l') else json.dumps(records))
    return str(path)


@pytest.mark.parametrize('name', ['records.jsonl', 'records.json'])
def test_records_of_both_endings(tmp_path, name):
    data = ImageRecords(write(tmp_path, [DOG, DOG | {'image': 'cat.png'}], name), data_prefix=dict(img_path=str(tmp_path)))
    assert len(data) == 2
    info = data.get_data_info(1)
    assert info['sample_id'] == 'cat.png' and info['img_path'] == str(tmp_path / 'cat.png')
    assert info['record'] == DOG | {'image': 'cat.png'}


@pytest.mark.parametrize(
    ('record', 'kind', 'message'),
    [
        ({'texts': {}}, KeyError, 'record 1 of .* has no field .image.'),
        ({'image': 'a.png'}, ValueError, 'some of texts, regions, triplets, questions and no other field, found none'),
        ({'image': 'a.png', 'region': []}, ValueError, 'no other field, found region'),
    ],
)
def test_faults_name_the_record(tmp_path, record, kind, message):
    with pytest.raises(kind, match=message):
        ImageRecords(write(tmp_path, [record]))


def test_a_tokenizer_learns_from_all_texts(tmp_path):
    record = {
        'image': 'a.png',
        'texts': {'brief': 'a dog', 'detailed': ['a brown dog', 'the dog']},
        'regions': [{'box': [0, 0, 1, 1], 'phrase': 'dog'}, {'box': [0, 0, 1, 1], 'text': 'EXIT', 'quad': [0] * 8}],
        'triplets': [{'text': 'a dog runs', 'phrase': 'a dog', 'boxes': [[0, 0, 1, 1]]}],
        'questions': [{'question': 'who runs?', 'answer': 'dog'}],
    }
    found = list(ImageRecords(write(tmp_path, [record])).captions())
    assert found == ['a dog', 'a brown dog', 'the dog', 'dog', 'EXIT', 'a dog runs', 'a dog', 'who runs?', 'dog']


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match='reads .json and .jsonl, not'):
        ImageRecords(str(tmp_path / 'records.csv'))
