"""The visual report on questions and on sentences: counts, figures, examples, pictures, mistakes."""

import json
import runpy
import sys
from collections import Counter

import numpy as np
import pytest
from meter_files import NUM_SCENES, vqa_dataset, write_meter
from mmengine.config import Config
from PIL import Image
from test_datasets.test_digit_scenes.test_vqa import entries

from florence.apis.vision_language_report import make_vision_language_report
from florence.apis.vqa_report import OTHERS, AnsweredQuestion, answered_question, confusion, report_on_questions
from florence.registry import TRANSFORMS
from florence.structures import ImageTextSample

SENTENCE = dict(type='SentenceHead', classes=('no', 'yes'))


@TRANSFORMS.register_module(force=True)
class AnswerAsLabel:
    """A yes-or-no question becomes a sentence with a class."""

    def __call__(self, results):
        return results | {'gt_label': ('no', 'yes').index(results['answers'][0])}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return write_meter(tmp_path_factory.mktemp('report'))


def question(index, truth, answers, accuracy):
    return AnsweredQuestion(index, f's{index}', f'question {index}?', truth, answers, accuracy)


def test_a_sample_read_by_the_rule_of_ten_annotators():
    sample = ImageTextSample(metainfo={'sample_id': 'x'})
    sample.set_data(dict(text='what?', answers=('cat',) * 7 + ('dog',) * 2 + ('cow',), pred_answer='dog'))
    sample.set_data(dict(pred_answers=('dog', 'cat'), pred_answer_scores=(0.6, 0.3)))
    found = answered_question(4, sample)
    assert (found.index, found.truth, found.answer, found.answers) == (4, 'cat', 'dog', {'dog': 0.6, 'cat': 0.3})
    assert found.accuracy == pytest.approx(0.6)
    with pytest.raises(ValueError, match="sample 'x' has no ground truth"):
        answered_question(0, sample, ('no', 'yes'))
    del sample.answers
    with pytest.raises(ValueError, match="sample 'x' has no ground truth"):
        answered_question(0, sample)


def test_confusion_counts_every_question():
    pairs = [('a', 'a')] * 3 + [('a', 'b')] * 2 + [('b', 'b')] * 2 + [('c', 'a'), ('c', 'x'), ('d', 'x')]
    table = confusion([question(i, truth, {answer: 1.0}, 0.0) for i, (truth, answer) in enumerate(pairs)], limit=2)
    assert list(table.columns) == ['truth', 'a', 'b', OTHERS]
    assert [list(row) for row in table.rows] == [['a', 3, 2, 0], ['b', 0, 2, 0], [OTHERS, 1, 0, 2]]


def test_examples_are_the_surest_mistakes_and_right_ones_from_everywhere(tmp_path):
    questions = [question(i, 'yes', {'yes': 0.9}, 1.0) for i in range(10)]
    questions += [question(10 + i, 'yes', {'no': 0.1 + 0.05 * i, 'yes': 0.1}, 0.0) for i in range(10)]
    questions += [question(20, 'yes', {'maybe': 0.99}, 0.3)]
    shown = []

    def pixels(index):
        shown.append(index)
        return np.full((8, 8, 3), 10 * index % 256, np.uint8)

    report, tables, pictures = report_on_questions(questions, pixels, tmp_path, num_examples=4)
    assert report['counts'] == {'right': 10, 'wrong': 10, 'partly right': 1}
    assert [each['sample_id'] for each in report['examples']['right']] == ['s0', 's3', 's6', 's9']
    assert [each['sample_id'] for each in report['examples']['wrong']] == ['s19', 's18', 's17', 's16']
    assert sorted(shown) == [0, 3, 6, 9, 16, 17, 18, 19]
    assert pictures == {'Right answers': ['pictures/right.png'], 'Wrong answers': ['pictures/wrong.png']}
    assert [table.title for table in tables] == ['Answers', 'Truth (rows) and answers given (columns)']
    everything_right = report_on_questions(questions[:10], pixels, tmp_path, num_examples=4)[2]
    assert list(everything_right) == ['Right answers']


def test_report_on_vqa_through_the_tool(files, tmp_path, repo_root, monkeypatch, capsys):
    config, weights = files
    arguments = [config, weights, '--out', tmp_path, '--examples', '3', '--attention', '2']
    monkeypatch.setattr(sys, 'argv', ['vision_language_report.py', *map(str, arguments)])
    runpy.run_path(str(repo_root / 'tools/analysis_tools/vision_language_report.py'), run_name='__main__')
    report = json.loads((tmp_path / 'report.json').read_text())
    truths = [entry['answers'][0] for entry, _ in entries(NUM_SCENES, split='test', recipe=vqa_dataset()['recipe'])]
    assert report['task'] == 'visual question answering' and report['num_samples'] == NUM_SCENES
    counts = report['counts']
    assert sum(counts.values()) == NUM_SCENES and counts['partly right'] == 0
    assert report['figures']['vqa/overall'] == pytest.approx(100 * counts['right'] / NUM_SCENES)
    assert {f'vqa/answer_type/{kind}' for kind in ('yes/no', 'number', 'other')} <= set(report['figures'])
    rows = {row[0]: row[1:] for row in report['confusion']['rows']}
    for answer, count in Counter(truths).most_common(12):
        assert sum(rows[answer]) == count
    assert sum(map(sum, rows.values())) == NUM_SCENES
    for each in report['examples']['right'] + report['examples']['wrong']:
        assert each['truth'] == truths[int(each['sample_id'].rpartition('/')[2])]
        assert (next(iter(each['answers'])) == each['truth']) == (each['accuracy'] == 1)
    page = (tmp_path / 'index.html').read_text()
    files_shown = [file for names in report['pictures'].values() for file in names]
    assert len([file for file in files_shown if 'attention' in file]) == 2
    for file in files_shown:
        assert f'src="{file}"' in page
        with Image.open(tmp_path / file) as picture:
            assert np.asarray(picture).std() > 10
    assert 'vqa/overall' in page and f'written: {tmp_path / "index.html"}' in capsys.readouterr().out


def test_report_on_sentences_of_the_validation_set(tmp_path):
    pipeline = [dict(type='AnswerAsLabel'), dict(type='PackImageText')]
    dataset = {**vqa_dataset(question_types=['presence']), 'pipeline': pipeline}
    loader = dict(batch_size=16, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True), dataset=dataset)
    config, weights = write_meter(
        tmp_path, SENTENCE, val_dataloader=loader, val_evaluator=dict(type='LabelAccuracy'), test_dataloader=None
    )
    report = make_vision_language_report(Config.fromfile(config), str(weights), str(tmp_path / 'out'), split='val')
    assert report['split'] == 'val' and set(report['pictures']) <= {'Right answers', 'Wrong answers'}
    assert report['counts']['right'] + report['counts']['wrong'] == NUM_SCENES
    assert list(report['figures'].values())[0] == pytest.approx(100 * report['counts']['right'] / NUM_SCENES)
    assert set(report['confusion']['columns']) == {'truth', 'no', 'yes', OTHERS}


def test_faults_are_named(files, tmp_path):
    config, weights = files[0], str(files[1])
    out = tmp_path / 'out'

    def fails(message, change=None, error=ValueError, **options):
        cfg = Config.fromfile(config)
        if change:
            change(cfg)
        with pytest.raises(error, match=message):
            make_vision_language_report(cfg, weights, str(out), **options)

    fails('expected 1 or more examples', num_examples=0)
    fails("split must be 'val' or 'test', got 'train'", split='train')
    fails('needs one val_dataloader with a data set', split='val')
    fails('needs one test_dataloader', lambda cfg: cfg.pop('test_evaluator'))
    fails('the test set of the config has no sample', lambda cfg: cfg.test_dataloader.dataset.update(num_scenes=0))
    fails('there is no report on vision-language pretraining', lambda cfg: cfg.model.head.update(type='PretrainHead'))
    without = dict(type='DigitScenePairs', num_scenes=4, split='test', granularity_probs=dict(short=1.0))

    def show_pairs(cfg):
        cfg.test_dataloader.pop('dataset')
        cfg.test_dataloader.dataset = dict(without, pipeline=[dict(type='PackImageText')])

    fails('the test set of the config has no answers', show_pairs)
    assert not out.exists()
