"""VQAv2's files: real fixtures, several files, the reserve of images, what is left out, and bad input."""

import json
from collections import Counter

import pytest

from florence.datasets import BadSample, VQAv2
from florence.datasets.image_reserve import ImageReserve

YES = ['yes'] * 10


def write_split(folder, subset, image_ids, answers=YES, questions_per_image=2):
    """Question and annotation file of a subset; the id of a question is `10 * image id + n`."""
    questions = [
        {'question_id': 10 * image + number, 'image_id': image, 'question': f'is {number} there?'}
        for image in image_ids
        for number in range(questions_per_image)
    ]
    (folder / f'{subset}_q.json').write_text(json.dumps({'data_subtype': subset, 'questions': questions}))
    annotations = [
        {
            'question_id': question['question_id'],
            'question_type': 'is',
            'answer_type': 'yes/no',
            'answers': [{'answer': answer, 'answer_id': number} for number, answer in enumerate(answers)],
        }
        for question in questions
    ]
    (folder / f'{subset}_a.json').write_text(json.dumps({'annotations': annotations}))


def read(folder, *subsets, annotated=True, **kwargs):
    return VQAv2(
        [f'{subset}_q.json' for subset in subsets],
        annotation_files=[f'{subset}_a.json' for subset in subsets] if annotated else None,
        data_root=str(folder),
        **kwargs,
    )


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def test_real_file(test_data):
    dataset = VQAv2(
        'vqav2/questions.json',
        annotation_files='vqav2/annotations.json',
        data_root=str(test_data / 'vqa_format_fixtures'),
        data_prefix=dict(img_path='images/vqav2'),
        image_template='COCO_{subset}_{image_id:012d}.jpg',
        pipeline=[dict(type='florence.LoadImage'), dict(type='florence.PackImageText')],
    )
    assert len(dataset) == 3
    sample = dataset[0]['data_samples']
    assert sample.text == 'What is this photo taken looking through?' and sample.question_id == 458752000
    assert Counter(sample.answers)['net'] == 6
    assert sample.answer_scores == {'net': 1.0, 'netting': 0.3, 'mesh': 0.3, 'pitcher': 0.3, 'orange': 0.3}
    assert sample.image_id == 458752 and sample.ori_shape == dataset[0]['inputs'].shape[1:]


def test_subsets_lie_in_their_folders(tmp_path):
    write_split(tmp_path, 'train2014', [7])
    write_split(tmp_path, 'test-dev2015', [9])
    paths = [info['img_path'] for info in infos(read(tmp_path, 'train2014', 'test-dev2015', annotated=False, test_mode=True))]
    assert paths[0] == str(tmp_path / 'train2014/COCO_train2014_000000000007.jpg')
    assert paths[-1] == str(tmp_path / 'test2015/COCO_test2015_000000000009.jpg')


def test_types_travel(tmp_path):
    write_split(tmp_path, 'val2014', [1])
    info = read(tmp_path, 'val2014').get_data_info(1)
    assert (info['question_id'], info['question_type'], info['answer_type']) == (11, 'is', 'yes/no')


def test_reserve_parts_train_and_val_by_image(tmp_path):
    write_split(tmp_path, 'train2014', range(100, 120))
    write_split(tmp_path, 'val2014', range(30))
    train = infos(read(tmp_path, 'train2014', 'val2014', reserve=dict(images=10)))
    val = infos(read(tmp_path, 'val2014', reserve=dict(images=10, take='reserved'), test_mode=True))
    held_out = {info['image_id'] for info in val}
    assert len(held_out) == 10 and len(val) == 20
    assert held_out.isdisjoint(info['image_id'] for info in train)
    assert len(train) == 2 * (20 + 20)
    everything = [10 * image + number for image in [*range(30), *range(100, 120)] for number in (0, 1)]
    assert sorted(info['question_id'] for info in train + val) == everything


def test_reserve_depends_on_nothing_but_the_ids():
    reserve = ImageReserve(images=5)
    chosen = reserve.of(range(100))
    assert chosen == reserve.of([*reversed(range(100)), 3, 3]) == {1, 39, 81, 83, 93}
    with pytest.raises(ValueError, match='cannot reserve 5 of the 5 images of val2014'):
        reserve.of(range(5))
    with pytest.raises(ValueError, match="not 'val'"):
        ImageReserve(take='val')


def test_answers_outside_the_vocabulary_leave_training_alone(tmp_path, log_lines):
    write_split(tmp_path, 'train2014', [1, 2])
    write_split(tmp_path, 'val2014', [3], answers=['green'] * 7 + ['blue'] * 3)
    (tmp_path / 'answers.txt').write_text('yes\nblue\n')
    (tmp_path / 'yes.txt').write_text('yes\n')
    answers = dict(answer_file=str(tmp_path / 'answers.txt'))
    assert len(read(tmp_path, 'train2014', 'val2014', **answers)) == 6
    only_yes = dict(answer_file=str(tmp_path / 'yes.txt'))
    assert len(read(tmp_path, 'train2014', 'val2014', **only_yes)) == 4
    assert any('2 of 6 questions (33.3%) have no answer in the vocabulary: left out of training' in line for line in log_lines)
    assert len(read(tmp_path, 'train2014', 'val2014', test_mode=True, **only_yes)) == 6
    assert any('2 of 6 questions (33.3%) have no answer in the vocabulary: they count as wrong' in line for line in log_lines)
    with pytest.raises(ValueError, match='none of 2 questions has an answer to train on'):
        read(tmp_path, 'val2014', **only_yes)


def test_questions_without_annotations(tmp_path, log_lines):
    write_split(tmp_path, 'train2014', [1])
    write_split(tmp_path, 'test2015', [2])
    dataset = VQAv2(['train2014_q.json', 'test2015_q.json'], annotation_files='train2014_a.json', data_root=str(tmp_path))
    assert [info['image_id'] for info in infos(dataset)] == [1, 1]
    assert any('2 of 4 questions (50.0%) have no annotated answer: left out of training' in line for line in log_lines)
    test = read(tmp_path, 'test2015', annotated=False, test_mode=True)
    assert len(test) == 2 and 'answers' not in test.get_data_info(0)


def test_annotations_of_other_questions_are_counted(tmp_path, log_lines):
    write_split(tmp_path, 'train2014', [1])
    write_split(tmp_path, 'val2014', [2])
    VQAv2('train2014_q.json', annotation_files=['train2014_a.json', 'val2014_a.json'], data_root=str(tmp_path))
    assert any('2 of 4 annotations are of other questions' in line for line in log_lines)


def test_one_question_twice_is_refused(tmp_path):
    write_split(tmp_path, 'val2014', [1, 2])
    with pytest.raises(ValueError, match='4 question ids occur more than once, e.g. 10'):
        VQAv2(['val2014_q.json'] * 2, annotation_files='val2014_a.json', data_root=str(tmp_path))


@pytest.mark.parametrize('question', ['', '  ', None])
def test_an_empty_question_is_a_bad_sample(tmp_path, question):
    write_split(tmp_path, 'val2014', [1, 2])
    content = json.loads((tmp_path / 'val2014_q.json').read_text())
    content['questions'][0]['question'] = question
    (tmp_path / 'val2014_q.json').write_text(json.dumps(content))
    with pytest.raises(BadSample, match='sample 10 '):
        read(tmp_path, 'val2014', test_mode=True)[0]
    training = read(tmp_path, 'val2014', max_bad_share=0.9)
    assert training[0]['question_id'] != 10 and training.guard.num_bad == 1


def test_a_missing_image_is_refused_in_evaluation(tmp_path):
    write_split(tmp_path, 'val2014', [1])
    with pytest.raises(BadSample, match='cannot open image .*COCO_val2014_000000000001.jpg'):
        read(tmp_path, 'val2014', test_mode=True, pipeline=[dict(type='florence.LoadImage')])[0]


@pytest.mark.parametrize(
    ('content', 'error', 'message'),
    [
        ('{"questions": [', ValueError, 'not valid JSON'),
        ('[]', ValueError, 'must hold one object, it holds list'),
        ('{"questions": []}', KeyError, "no field 'data_subtype', found questions"),
        ('{"data_subtype": "x", "questions": [{"question_id": 1}]}', KeyError, "a question has no field 'image_id'"),
        ('{"data_subtype": "x", "questions": []}', ValueError, 'no sample found'),
    ],
)
def test_broken_files_name_the_fault(tmp_path, content, error, message):
    (tmp_path / 'q.json').write_text(content)
    with pytest.raises(error, match=message):
        VQAv2('q.json', data_root=str(tmp_path), test_mode=True)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no annotation file at .*q.json'):
        VQAv2('q.json', data_root=str(tmp_path))


def test_annotations_listed_twice_and_answers_that_are_no_text_are_refused(tmp_path):
    write_split(tmp_path, 'train2014', [1, 2])
    with pytest.raises(ValueError, match='train2014_a.json: question 10 is annotated more than once'):
        VQAv2('train2014_q.json', annotation_files=['train2014_a.json'] * 2, data_root=str(tmp_path)).full_init()
    write_split(tmp_path, 'train2014', [1, 2], answers=['two', 2, 'two'])
    with pytest.raises(ValueError, match='question 10 .* has an answer that is no text: 2'):
        read(tmp_path, 'train2014')


def test_answers_and_templates_of_another_form_are_named(tmp_path):
    write_split(tmp_path, 'train2014', [1])
    for template in ('{split}/{image_id}.jpg', '{image_id:s}.jpg', '{}.jpg'):
        with pytest.raises(ValueError, match="does not fit: it may use subset='train2014', image_id=1"):
            read(tmp_path, 'train2014', image_template=template)
    (tmp_path / 'train2014_a.json').write_text(json.dumps({'annotations': [{'question_id': 10, 'answers': [3]}]}))
    with pytest.raises(KeyError, match='an answer to question 10 has no field "answer": 3'):
        read(tmp_path, 'train2014')
