"""JSON, JSON lines, CSV and TSV: equal records give equal samples; real pairs; faults in one sentence."""

import csv
import json

import pytest

from florence.datasets import RecordPairs
from florence.datasets.record_pairs import READERS

RECORDS = [
    {'filepath': 'a.jpg', 'caption': 'a "quoted" dog, and a cat'},
    {'filepath': 'b/b.jpg', 'caption': "it's 5 o'clock"},
    {'filepath': 'c.jpg', 'caption': 'Straße'},
]
COLUMNS = dict(image='filepath', text='caption')


def write(path, kind: str) -> None:
    if kind == 'json':
        path.write_text(json.dumps(RECORDS))
    elif kind == 'jsonl':
        path.write_text('\n\n'.join(json.dumps(record) for record in RECORDS) + '\n')
    elif kind == 'csv':
        with open(path, 'w', newline='') as file:
            writer = csv.DictWriter(file, ['filepath', 'caption'])
            writer.writeheader()
            writer.writerows(RECORDS)
    else:
        path.write_text('filepath\tcaption\n' + ''.join(f'{r["filepath"]}\t{r["caption"]}\n' for r in RECORDS))


@pytest.mark.parametrize('kind', READERS)
def test_formats_agree(tmp_path, kind):
    write(tmp_path / f'pairs.{kind}', kind)
    dataset = RecordPairs(f'pairs.{kind}', data_root=str(tmp_path), columns=COLUMNS)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info['text'] for info in infos] == [record['caption'] for record in RECORDS]
    assert [info['img_path'] for info in infos] == [str(tmp_path / record['filepath']) for record in RECORDS]


@pytest.mark.parametrize('kind', READERS)
def test_missing_column_names_those_found(tmp_path, kind):
    write(tmp_path / 'pairs', kind)
    with pytest.raises(KeyError, match="no column 'image'.*found filepath, caption"):
        RecordPairs('pairs', file_format=kind, data_root=str(tmp_path))


@pytest.mark.parametrize(
    ('kind', 'content', 'message'),
    [
        ('json', '{"image": "a.jpg"}', 'list of objects'),
        ('json', '[{"image": ', 'not valid JSON'),
        ('jsonl', '{"image": "a.jpg", "text": "x"}\n{"image"', 'line 2 is not valid JSON'),
        ('jsonl', '[1, 2]\n', 'line 1 must hold an object'),
        ('csv', 'image,text\na.jpg,one, two\n', 'line 2 has 3 fields'),
        ('tsv', 'image\ttext\na.jpg one\n', 'line 2 has 1 fields'),
    ],
)
def test_malformed_files_name_the_place(tmp_path, kind, content, message):
    (tmp_path / f'pairs.{kind}').write_text(content)
    with pytest.raises(ValueError, match=message):
        RecordPairs(f'pairs.{kind}', data_root=str(tmp_path))


def test_unknown_format_is_named(tmp_path):
    with pytest.raises(ValueError, match="not 'parquet'"):
        RecordPairs('pairs.parquet', data_root=str(tmp_path))


def test_evaluation_keeps_captions_and_training_takes_the_only_one(tmp_path):
    write(tmp_path / 'pairs.json', 'json')
    evaluation = RecordPairs('pairs.json', data_root=str(tmp_path), columns=COLUMNS, test_mode=True)
    assert evaluation.get_data_info(2)['captions'] == ('Straße',) and 'text' not in evaluation.get_data_info(2)
    assert RecordPairs('pairs.json', data_root=str(tmp_path), columns=COLUMNS).get_data_info(2)['text'] == 'Straße'


def test_list_of_texts_is_several_captions(tmp_path):
    (tmp_path / 'pairs.json').write_text(
        json.dumps([{'image': 'a.jpg', 'text': ['one', 'two']}, {'image': 'b.jpg', 'text': None}])
    )
    dataset = RecordPairs('pairs.json', data_root=str(tmp_path))
    assert dataset.get_data_info(0)['captions'] == ('one', 'two')
    with pytest.raises(ValueError, match=r'b\.jpg has an empty caption'):
        dataset.prepare_data(1)


def test_emoji_pairs_split_into_train_and_val(test_data, train_pipeline):
    options = dict(data_root=str(test_data / 'imgtext_emoji_noto'), columns=dict(text='name'), pipeline=train_pipeline)
    train, val = (RecordPairs('pairs.json', split=split, **options) for split in ('train', 'val'))
    ids = [{part.get_data_info(i)['sample_id'] for i in range(len(part))} for part in (train, val)]
    assert len(train) + len(val) == 1636 and not ids[0] & ids[1]
    assert 0.07 < len(val) / 1636 < 0.13
    packed = train[0]
    assert packed['inputs'].shape == (3, 64, 64) and packed['data_samples'].text in set(train.captions())


def test_exercise_pairs_give_one_sample_per_photo_and_split_by_exercise(test_data):
    options = dict(data_root=str(test_data / 'imgtext_exercise'), data_prefix=dict(img_path='images'), val_share=0.2)
    columns = dict(image='images', text='instructions', sample_id='id', join_texts=True)
    train, val = (RecordPairs('pairs.json', split=split, columns=columns, **options) for split in ('train', 'val'))
    assert len(train) + len(val) == 220
    exercises = [{part.get_data_info(i)['sample_id'].split('#')[0] for i in range(len(part))} for part in (train, val)]
    assert len(exercises[0]) + len(exercises[1]) == 110 and not exercises[0] & exercises[1]
    record = next(r for r in json.loads((test_data / 'imgtext_exercise' / 'pairs.json').read_text()) if r['id'] in exercises[1])
    assert ' '.join(record['instructions']) in set(val.captions())
