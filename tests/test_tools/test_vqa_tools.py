"""The tools that build an answer vocabulary and handle submissions, from end to end."""

import json
import runpy
import sys

import pytest
from conftest import REPO_ROOT

from florence.tasks.answer_vocabulary import AnswerVocabulary

VQA = 'tools/leaderboards/vqa_submission.py'
NLVR2 = 'tools/leaderboards/nlvr2_submission.py'
VOCABULARY = 'tools/dataset_converters/build_answer_vocabulary.py'


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a tool in `tmp_path`; what it printed, and the message it ended with."""
    monkeypatch.chdir(tmp_path)

    def call(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        message = None
        try:
            runpy.run_path(str(REPO_ROOT / tool), run_name='__main__')
        except SystemExit as error:
            message = error.code
        return capsys.readouterr().out, message

    return call


def annotation(number, answers, major=None):
    entry = {'question_id': number, 'answers': [{'answer': answer, 'answer_id': place} for place, answer in enumerate(answers)]}
    return entry if major is None else {**entry, 'multiple_choice_answer': major}


def test_vocabulary_of_vqa_files(run, tmp_path):
    """3,129 answers are given nine times, 50 eight times; train and val count together, in the order of the files."""
    frequent = [f'word{number}' for number in range(3129)]
    rare = [f'rare{number}' for number in range(50)]
    majors = [word for word in frequent for _ in range(9)] + [word for word in rare for _ in range(8)]
    entries = [annotation(number, [word] * 10, word) for number, word in enumerate(majors)]
    (tmp_path / 'train.json').write_text(json.dumps({'annotations': entries[:20000]}))
    (tmp_path / 'val.json').write_text(json.dumps({'annotations': entries[20000:]}))
    printed, message = run(VOCABULARY, 'out/answers.json', 'train.json', 'val.json')
    assert message is None
    assert f'3129 answers; 28161 of {len(majors)} questions ({28161 / len(majors):.2%}) have one of them' in printed
    assert f'would score {100 * 28161 / len(majors):.2f}.' in printed
    assert AnswerVocabulary.from_file('out/answers.json').answers == tuple(frequent)


def test_vocabulary_of_own_records(run, tmp_path):
    (tmp_path / 'q.csv').write_text('image,question,answer\na,b,Red\na,b,red\na,b,blue\na,b,\n')
    printed, message = run(VOCABULARY, 'answers.json', 'q.csv', '--answers', 'answer', '--min-count', '2')
    assert message is None and '1 answers; 2 of 4 questions (50.00%)' in printed
    assert json.loads((tmp_path / 'answers.json').read_text()) == ['red']


def test_answers_of_one_form_count_together(run, tmp_path):
    rows = [{'image': 'a', 'question': 'b', 'answer': ['no', 'Two', '2', 'two.', 'no']}] * 2
    (tmp_path / 'q.json').write_text(json.dumps(rows))
    _, message = run(VOCABULARY, 'answers.json', 'q.json', '--answers', 'answer', '--min-count', '2')
    assert message is None and json.loads((tmp_path / 'answers.json').read_text()) == ['2']


def test_vocabulary_of_the_real_fixture(run, test_data):
    path = test_data / 'vqa_format_fixtures/vqav2/annotations.json'
    printed, message = run(VOCABULARY, 'answers.json', str(path), '--min-count', '1')
    assert message is None and printed.startswith('wrote answers.json: ')
    assert AnswerVocabulary.from_file('answers.json').answers[0] == 'net'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere.json'], 'no annotation file nowhere.json'),
        (['q.csv', '--answers', 'reply'], "no column 'reply'"),
        (['q.json'], 'not valid JSON'),
        (['q.csv'], 'of records, name the columns of answers by --answers'),
        (['q.csv', '--answers', 'answer'], 'none of the 1 answers occurs 9 times'),
    ],
)
def test_vocabulary_bad_input(run, tmp_path, arguments, message):
    (tmp_path / 'q.csv').write_text('image,question,answer\na,b,red\n')
    (tmp_path / 'q.json').write_text('{')
    _, ended = run(VOCABULARY, 'answers.json', *arguments)
    assert ended.startswith('error: ') and message in ended and not (tmp_path / 'answers.json').exists()


@pytest.fixture
def questions(tmp_path):
    content = {
        'data_subtype': 'test-dev2015',
        'questions': [{'question_id': number, 'image_id': 1, 'question': 'q'} for number in (30, 10)],
    }
    (tmp_path / 'q.json').write_text(json.dumps(content))
    return ('--questions', 'q.json')


def test_vqa_pack_check_and_score(run, tmp_path, questions):
    entries = [{'question_id': number, 'answer': answer} for number, answer in ((10, 'yes'), (30, 'no'))]
    (tmp_path / 'a.json').write_text(json.dumps(entries))
    name = 'out/vqa_OpenEnded_mscoco_test-dev2015_meter_results.json'
    printed, message = run(VQA, 'pack', 'out', 'a.json', '--algorithm', 'meter', *questions)
    assert message is None and printed == f'wrote {name}: 2 answers.\n'
    assert [entry['question_id'] for entry in json.loads((tmp_path / name).read_text())] == [30, 10]
    assert run(VQA, 'check', name, *questions) == (f'{name} is in order.\n', None)
    (tmp_path / 'ann.json').write_text(
        json.dumps({'annotations': [annotation(10, ['yes'] * 10), annotation(30, ['no', 'no', *['yes'] * 8])]})
    )
    printed, message = run(VQA, 'score', name, '--annotations', 'ann.json')
    assert message is None and json.loads(printed)['overall'] == pytest.approx(80)


def test_textvqa_pack_and_check(run, tmp_path):
    (tmp_path / 'q.json').write_text(json.dumps({'data': [{'question_id': 30}, {'question_id': 10}]}))
    given = [{'image': str(number), 'question_id': number, 'task': '<VQA>', 'answer': 'coca cola'} for number in (10, 30)]
    (tmp_path / 'a.json').write_text(json.dumps(given))
    options = ('--dataset', 'textvqa', '--questions', 'q.json')
    printed, message = run(VQA, 'pack', 'out', 'a.json', '--algorithm', 'florence2', *options)
    name = 'out/textvqa_florence2_results.json'
    assert message is None and printed == f'wrote {name}: 2 answers.\n'
    wanted = [{'question_id': number, 'answer': 'coca cola'} for number in (30, 10)]
    assert json.loads((tmp_path / name).read_text()) == wanted
    assert run(VQA, 'check', name, *options) == (f'{name} is in order.\n', None)
    (tmp_path / 'a.json').write_text(json.dumps(given[:1]))
    assert '1 questions of 2 are not answered (30)' in run(VQA, 'check', 'a.json', *options)[1]


def test_vqa_missing_and_other_questions(run, tmp_path, questions):
    (tmp_path / 'a.json').write_text(json.dumps([{'question_id': 10, 'answer': 'yes'}, {'question_id': 99, 'answer': 'no'}]))
    pack = (VQA, 'pack', 'out', 'a.json', '--algorithm', 'meter', *questions)
    _, message = run(*pack)
    assert '1 questions of 2 are not answered (30)' in message and '(99)' in message and not (tmp_path / 'out').exists()
    _, message = run(*pack, '--fill-missing')
    assert '(99)' in message and 'not answered' not in message
    printed, message = run(*pack, '--fill-missing', '--take-part')
    assert message is None
    assert 'left out 1 answers to questions that test-dev2015 does not have.' in printed
    assert "1 of 2 questions had no answer and got ''." in printed
    _, message = run(VQA, 'check', 'a.json', *questions)
    assert '(99)' in message and '(30)' in message


def test_nlvr2_pack_check_and_score(run, tmp_path):
    examples = [{'identifier': f'dev-1-{pair}-0', 'label': label} for pair, label in ((0, 'True'), (1, 'False'))]
    (tmp_path / 'dev.json').write_text('\n'.join(map(json.dumps, examples)))
    (tmp_path / 'labels.json').write_text(json.dumps([{'sample_id': f'dev-1-{pair}-0', 'label': 1} for pair in (0, 1)]))
    printed, message = run(NLVR2, 'pack', 'p.csv', 'labels.json', '--ann-file', 'dev.json')
    assert message is None and 'wrote p.csv: 2 judgements.' in printed
    assert run(NLVR2, 'check', 'p.csv', '--ann-file', 'dev.json') == ('p.csv is in order.\n', None)
    printed, _ = run(NLVR2, 'score', 'p.csv', '--ann-file', 'dev.json')
    assert json.loads(printed) == {'accuracy': 50.0, 'consistency': 0.0}
    (tmp_path / 'p.csv').write_text('dev-1-0-0,True\n')
    _, message = run(NLVR2, 'check', 'p.csv', '--ann-file', 'dev.json')
    assert '1 examples of 2 are not answered' in message
