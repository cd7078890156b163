"""GQA, Visual Genome's questions, easy-VQA and a user's own records: real files, splits, bad input."""

import csv
import json
from collections import Counter

import pytest

from florence.datasets import GQA, EasyVQA, VisualGenomeQA, VQARecords

LOAD = [dict(type='florence.LoadImage'), dict(type='florence.PackImageText')]


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.fixture
def fixtures(test_data):
    return test_data / 'vqa_format_fixtures'


def test_gqa_file_and_folder(fixtures):
    options = dict(data_root=str(fixtures), data_prefix=dict(img_path='images/gqa'), pipeline=LOAD)
    single = GQA('gqa/questions.json', **options)
    assert len(single) == 1
    parts = GQA('gqa/question_dir', **options)
    sample = parts[1]['data_samples']
    assert sample.text == 'Does the table below the water look wooden and round?' and sample.answers == ('yes',)
    assert (sample.question_type, sample.answer_type, sample.image_id) == ('logical', 'binary', 'n166008')
    assert parts.get_data_info(0)['answer_type'] == 'open' and parts.get_data_info(0)['question_id'] == '202218649'
    assert len(GQA('gqa/question_dir', balanced_only=True, **options)) == 1


def test_gqa_bad_input(tmp_path):
    (tmp_path / 'parts').mkdir()
    with pytest.raises(FileNotFoundError, match='no annotation file'):
        GQA('parts', data_root=str(tmp_path))
    (tmp_path / 'parts' / 'a.json').write_text('{"1": {"question": "what?"}}')
    with pytest.raises(KeyError, match="question 1 has no field 'imageId'"):
        GQA('parts', data_root=str(tmp_path))


def test_visual_genome_questions(fixtures):
    options = dict(data_root=str(fixtures), data_prefix=dict(img_path='images/vgqa'), pipeline=LOAD)
    dataset = VisualGenomeQA('vgqa/question_answers.json', **options)
    assert len(dataset) == 8
    sample = dataset[1]['data_samples']
    assert (sample.question_id, sample.answers, sample.answer_scores) == (987282, ('In a room.',), {'in room': 1.0})


def test_visual_genome_finds_the_folder_of_each_image(fixtures, tmp_path):
    content = (fixtures / 'vgqa' / 'question_answers.json').read_text()
    (tmp_path / 'q.json').write_text(content)
    places = {4: 'VG_100K_2/4.jpg', 5: 'VG_100K/5.jpg'}
    images = [{'image_id': number, 'url': f'https://example.org/x/{place}'} for number, place in places.items()]
    (tmp_path / 'images.json').write_text(json.dumps(images))
    dataset = VisualGenomeQA('q.json', image_file='images.json', data_root=str(tmp_path))
    assert {info['img_path'] for info in infos(dataset)} == {str(tmp_path / place) for place in places.values()}
    (tmp_path / 'images.json').write_text(json.dumps(images[:1]))
    with pytest.raises(KeyError, match='has no image 5'):
        VisualGenomeQA('q.json', image_file='images.json', data_root=str(tmp_path))


def test_easy_vqa_splits_by_image(test_data):
    options = dict(data_root=str(test_data / 'vqa_easy' / 'train'), data_prefix=dict(img_path='images'))
    answers = dict(answer_file=str(test_data / 'vqa_easy' / 'answers.txt'))
    whole = EasyVQA('questions.json', **options, **answers)
    train, val = (infos(EasyVQA('questions.json', split=split, **options)) for split in ('train', 'val'))
    assert len(whole) == 5940 == len(train) + len(val)
    assert {info['image_id'] for info in train}.isdisjoint(info['image_id'] for info in val)
    assert 400 < len(val) < 800
    assert sorted(info['question_id'] for info in train + val) == list(range(5940))


def test_easy_vqa_always_yes(test_data):
    """The floor of these 200 test images (37.3 % on all 1,000), and a picture opens."""
    folder = test_data / 'vqa_easy' / 'test'
    dataset = EasyVQA('questions.json', data_root=str(folder), data_prefix=dict(img_path='images'), test_mode=True, pipeline=LOAD)
    counts = Counter(info['answers'][0] for info in infos(dataset))
    assert counts['yes'] / len(dataset) == pytest.approx(0.3638, abs=0.0001)
    assert dataset[0]['inputs'].shape == (3, 64, 64)
    types = Counter(info['answer_type'] for info in infos(dataset))
    assert types['yes/no'] == counts['yes'] + counts['no']


def test_easy_vqa_row_of_another_form(tmp_path):
    (tmp_path / 'questions.json').write_text('[["what?", "red", 1], ["what?", "red"]]')
    with pytest.raises(ValueError, match='row 1 must be'):
        EasyVQA('questions.json', data_root=str(tmp_path))
    (tmp_path / 'questions.json').write_text('3')
    with pytest.raises(ValueError, match='must hold a list of rows, it holds int'):
        EasyVQA('questions.json', data_root=str(tmp_path))


RECORDS = [
    {'file': 'a.png', 'q': 'what colour?', 'one': 'red', 'two': 'dark red', 'kind': 'colour', 'id': 'x1'},
    {'file': 'b.png', 'q': 'how many?', 'one': '2', 'two': '', 'kind': 'count', 'id': 'x2'},
]
COLUMNS = dict(image='file', question='q', answers=['one', 'two'], question_id='id', question_type='kind')


@pytest.mark.parametrize('kind', ['json', 'csv'])
def test_own_records(tmp_path, kind):
    path = tmp_path / f'q.{kind}'
    if kind == 'json':
        path.write_text(json.dumps(RECORDS))
    else:
        with path.open('w', newline='') as file:
            writer = csv.DictWriter(file, list(RECORDS[0]))
            writer.writeheader()
            writer.writerows(RECORDS)
    found = infos(VQARecords(path.name, data_root=str(tmp_path), columns=COLUMNS))
    assert [info['question_id'] for info in found] == ['x1', 'x2']
    assert [info['answers'] for info in found] == [('red', 'dark red'), ('2',)]
    assert [info['question_type'] for info in found] == ['colour', 'count']
    assert found[0]['img_path'] == str(tmp_path / 'a.png')


def test_own_records_with_a_list_and_without_answers(tmp_path, log_lines):
    rows = [
        {'image': 'a.png', 'question': 'what?', 'answer': ['red', 'red', 'blue']},
        {'image': 'b.png', 'question': 'who?', 'answer': None},
    ]
    (tmp_path / 'q.json').write_text(json.dumps(rows))
    found = infos(VQARecords('q.json', data_root=str(tmp_path)))
    assert [info['answers'] for info in found] == [('red', 'red', 'blue')]
    assert any('1 of 2 questions (50.0%) have no annotated answer' in line for line in log_lines)
    unanswered = VQARecords('q.json', data_root=str(tmp_path), columns=dict(answers=None), test_mode=True)
    assert [info['question_id'] for info in infos(unanswered)] == [0, 1]


def test_own_records_bad_input(tmp_path):
    (tmp_path / 'q.json').write_text(json.dumps(RECORDS))
    with pytest.raises(KeyError, match="record 0 has no column 'image'.*found file, q"):
        VQARecords('q.json', data_root=str(tmp_path))
    with pytest.raises(ValueError, match='reads json, jsonl, csv, tsv'):
        VQARecords('q.xml', data_root=str(tmp_path))


def test_composed_questions_of_real_photographs(test_data):
    dataset = VQARecords(
        'composed_vqa_val2017.json',
        data_root=str(test_data / 'coco_mini'),
        columns=dict(image='file_name', question_type='type'),
        pipeline=LOAD,
    )
    sample = dataset[0]['data_samples']
    assert (sample.text, sample.answers, sample.question_type) == ('How many bottle instances are in the image?', ('1',), 'count')
