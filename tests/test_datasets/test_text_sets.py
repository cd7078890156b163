"""TextVQA, VizWiz, DocVQA, TextCaps and NoCaps: files made up in their forms, and receipts with real questions."""

import json

import pytest

from florence.datasets import CocoCaptions, TextCaps, VQARecords
from florence.datasets.transforms import AnnotationsToRecord, AskTask

TEXTVQA = dict(
    records_field='data',
    image_template='{image}.jpg',
    columns=dict(image='image_id', answers='answers', question_id='question_id'),
)
DOCVQA = dict(records_field='data', columns=dict(answers='answers', question_id='questionId'))
VIZWIZ = dict(columns=dict(answers='answers', question_id='image', answer_type='answer_type'))
READABLE = dict(question='what?', image_id='00a', answers=['coca'] * 9 + ['cola'], question_id=3)
FILES = {
    'textvqa': dict(dataset_name='textvqa', data=[READABLE]),
    'docvqa': dict(
        dataset_name='docvqa', data=[dict(questionId=337, question='what?', image='documents/x_1.png', answers=['0.28'])]
    ),
    'vizwiz': [
        dict(
            image='VizWiz_val_00000000.jpg', question='what?', answer_type='other', answerable=1,
            answers=[dict(answer='basil', answer_confidence='yes'), dict(answer='unanswerable', answer_confidence='no')],
        )
    ],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize(
    ('name', 'arguments', 'image', 'question_id', 'answers'),
    [
        ('textvqa', TEXTVQA, '00a.jpg', 3, ('coca',) * 9 + ('cola',)),
        ('docvqa', DOCVQA, 'documents/x_1.png', 337, ('0.28',)),
        ('vizwiz', VIZWIZ, 'VizWiz_val_00000000.jpg', 'VizWiz_val_00000000.jpg', ('basil', 'unanswerable')),
    ],
)
def test_questions_of_each_set(folder, name, arguments, image, question_id, answers):
    info = VQARecords(f'{name}.json', data_root=str(folder), test_mode=True, **arguments).get_data_info(0)
    assert (info['img_path'], info['question_id'], info['answers']) == (str(folder / image), question_id, answers)
    asked = AskTask('<VQA>').transform(AnnotationsToRecord().transform(info | {'ori_shape': (9, 9)}))
    assert asked['prompt'] == ('what?',) and asked['references'] == (answers,)


def test_questions_of_a_test_set_are_asked_without_answers(folder):
    question = {key: value for key, value in READABLE.items() if key != 'answers'}
    (folder / 'test.json').write_text(json.dumps(dict(data=[question])))
    arguments = TEXTVQA | dict(columns=dict(TEXTVQA['columns'], answers=None))
    info = VQARecords('test.json', data_root=str(folder), test_mode=True, **arguments).get_data_info(0)
    asked = AskTask('<VQA>', unanswered=True).transform(info)
    assert (asked['task'], asked['prompt'], asked['references'], asked['truth']) == (('<VQA>',), ('what?',), ((),), ({},))


def test_receipts(test_data):
    dataset = VQARecords(
        'docvqa.json', data_root=str(test_data / 'ocr_sroie'), columns=dict(image='file_name'), test_mode=True,
        pipeline=[
            dict(type='florence.LoadImage'), dict(type='florence.AnnotationsToRecord'),
            dict(type='florence.AskTask', tag='<VQA>'), dict(type='florence.PackImageText'),
        ],
    )  # fmt: skip
    assert len(dataset) == 84
    sample = dataset[2]['data_samples']
    assert sample.prompt == ('What is the company name?',) and sample.references == (('THREE STOOGES',),)


@pytest.mark.parametrize(
    ('name', 'changes', 'error', 'message'),
    [
        ('textvqa', dict(records_field='rows'), KeyError, "textvqa.json has no field 'rows', found dataset_name, data"),
        (
            'docvqa',
            dict(records_field='dataset_name'),
            ValueError,
            "field 'dataset_name', must hold a list of objects, it holds str",
        ),
        ('textvqa', dict(image_template='{id}.jpg'), ValueError, "image_template '{id}.jpg' does not fit: it may use image="),
        ('vizwiz', dict(records_field='data'), ValueError, 'must be an object with data'),
    ],
)
def test_mistakes_get_a_sentence(folder, name, changes, error, message):
    arguments = {'textvqa': TEXTVQA, 'docvqa': DOCVQA, 'vizwiz': VIZWIZ}[name] | changes
    with pytest.raises(error, match=message):
        VQARecords(f'{name}.json', data_root=str(folder), **arguments)


def test_only_json_has_a_field_of_records(tmp_path):
    with pytest.raises(ValueError, match='only JSON has records_field, q.csv is csv'):
        VQARecords('q.csv', records_field='data', data_root=str(tmp_path))


def test_objects_as_answers_need_their_text(folder):
    (folder / 'v.json').write_text(json.dumps([dict(FILES['vizwiz'][0], answers=[dict(text='x')])]))
    with pytest.raises(KeyError, match="record 0: an answer has no field 'answer', found text"):
        VQARecords('v.json', data_root=str(folder), **VIZWIZ)


def textcaps(*entries):
    return json.dumps(dict(dataset_name='textcaps', data=list(entries)))


def test_captions_of_an_image_come_together(tmp_path):
    own = dict(image_path='train/00a.jpg', reference_strs=['A sign. ', 'A stop sign.'])
    (tmp_path / 'train.json').write_text(
        textcaps(
            dict(image_id='00a', caption_id=1, caption_str='A sign. ', **own),
            dict(image_id='00b', caption_id=2, caption_str='A can.', image_path='train/00b.jpg', reference_strs=['A can.']),
            dict(image_id='00a', caption_id=3, caption_str='A stop sign.', **own),
        )
    )
    dataset = TextCaps('train.json', data_root=str(tmp_path), test_mode=True)
    info = dataset.get_data_info(0)
    assert len(dataset) == 2 and info['image_id'] == '00a' and info['img_path'] == str(tmp_path / '00a.jpg')
    assert info['captions'] == ('A sign.', 'A stop sign.') and info['caption_ids'] == (1, 3)
    record = AnnotationsToRecord().transform(info)['record']
    assert record['texts'] == {'brief': ['A sign.', 'A stop sign.']}


def test_images_without_captions_are_for_tests_alone(tmp_path):
    (tmp_path / 'test.json').write_text(textcaps(dict(image_id='00a', image_path='test/00a.jpg')))
    info = TextCaps('test.json', data_root=str(tmp_path), test_mode=True).get_data_info(0)
    assert AskTask('<CAPTION>', unanswered=True).transform(info)['prompt'] == ('What does the image describe?',)
    assert 'captions' not in info
    with pytest.raises(KeyError, match="entry 0 has no field 'caption_id'"):
        TextCaps('test.json', data_root=str(tmp_path))


def test_nocaps_is_in_the_form_of_coco(tmp_path):
    images = [dict(id=0, file_name='0013ea2087020901.jpg', open_images_id='0013ea2087020901', domain='near-domain')]
    captions = [dict(id=number, image_id=0, caption=f'A baby {number}.') for number in range(10)]
    (tmp_path / 'val.json').write_text(json.dumps(dict(images=images, annotations=captions)))
    (tmp_path / 'test.json').write_text(json.dumps(dict(images=images)))
    val, test = (CocoCaptions(f'{name}.json', data_root=str(tmp_path), test_mode=True) for name in ('val', 'test'))
    asked = AskTask('<CAPTION>').transform(AnnotationsToRecord().transform(val.get_data_info(0) | {'ori_shape': (9, 9)}))
    assert len(asked['references'][0]) == 10 and asked['image_id'] == 0
    assert AskTask('<CAPTION>', unanswered=True).transform(test.get_data_info(0))['references'] == ((),)
    with pytest.raises(KeyError, match='<VQA> asks about a text, sample .* has sample_id'):
        AskTask('<VQA>', unanswered=True).transform(test.get_data_info(0))
