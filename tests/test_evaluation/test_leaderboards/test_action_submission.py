"""Submissions of action recognition: what is written, what the checks find, ids and lists, the tool and the metric behind it."""

import json
import runpy
import sys

import pytest
import torch
from conftest import REPO_ROOT
from mmengine.evaluator import Evaluator

from florence.evaluation.leaderboards.action_results import read_action_results, read_official_ids, read_submission, video_id
from florence.evaluation.leaderboards.activitynet_submission import check_activitynet, write_activitynet
from florence.evaluation.leaderboards.kinetics_submission import check_kinetics, write_kinetics
from florence.registry import METRICS
from florence.structures import ImageTextSample

CLASSES = ['abseiling', 'archery', 'baking', 'bowling', 'boxing', 'busking']
IDS = ['-abcdefghi0', '_abcdefghi1', 'abcdefghij2']


def scored(*scores):
    return [{'label': name, 'score': score} for name, score in zip(CLASSES, scores, strict=False)]


@pytest.fixture
def results():
    return {key: scored(0.1, 0.5, 0.2, 0.05, 0.1, 0.05) for key in IDS}


def test_kinetics(tmp_path, results):
    write_kinetics(tmp_path / 'k.json', results, IDS, external_data='FLD-900M', classes=CLASSES)
    content = read_submission(tmp_path / 'k.json')
    assert content['version'] == 'KINETICS VERSION 1.0' and content['external_data'] == {'used': True, 'details': 'FLD-900M'}
    assert [one['label'] for one in content['results'][IDS[0]]] == ['archery', 'baking', 'abseiling', 'boxing', 'bowling']
    assert content['results'][IDS[0]][0] == {'label': 'archery', 'score': 0.5} and set(content['results']) == set(IDS)
    assert check_kinetics(content, IDS, CLASSES) == []


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (lambda c: c.update(version='1.0'), "version is '1.0', expected 'KINETICS VERSION 1.0'"),
        (lambda c: c.update(external_data={'used': 'no'}), 'external_data must say used'),
        (lambda c: c.update(results=[]), 'results must be an object'),
        (lambda c: c['results'].pop(IDS[1]), r"1 videos of 3 are not answered \('_abcdefghi1'\)"),
        (lambda c: c['results'].update(other=c['results'][IDS[0]]), '1 videos are answered that the test file does not have'),
        (lambda c: c['results'][IDS[0]].pop(), '-abcdefghi0: 4 different classes in 4 entries, expected 5'),
        (lambda c: c['results'][IDS[0]][1].update(label='archery'), '4 different classes in 5 entries'),
        (lambda c: c['results'][IDS[0]][1].update(label='chess'), "label 'chess' is no class"),
        (lambda c: c['results'][IDS[0]][1].update(score=float('nan')), "score of 'baking' is nan, expected a finite number"),
        (lambda c: c['results'][IDS[0]][1].update(score='high'), "score of 'baking' is 'high'"),
        (lambda c: c['results'][IDS[0]].reverse(), 'the best class does not come first'),
    ],
)
def test_what_is_wrong_with_a_kinetics_submission(tmp_path, results, change, problem):
    import re

    write_kinetics(tmp_path / 'k.json', results, IDS)
    content = read_submission(tmp_path / 'k.json')
    change(content)
    found = check_kinetics(content, IDS, CLASSES)
    assert len(found) == 1 and re.search(problem, found[0])


def test_a_video_that_occurs_twice_is_found_in_the_text(tmp_path):
    (tmp_path / 'k.json').write_text('{"results": {"a": [], "b": [], "a": []}}')
    with pytest.raises(ValueError, match="'a' twice"):
        read_submission(tmp_path / 'k.json')


def test_nothing_is_written_where_something_is_wrong(tmp_path, results):
    with pytest.raises(ValueError, match='4 are not answered|of 4 are not'):
        write_kinetics(tmp_path / 'k.json', results, [*IDS, 'one more'])
    results[IDS[0]][0]['score'] = float('inf')
    with pytest.raises(ValueError, match='inf, expected a finite number'):
        write_kinetics(tmp_path / 'k.json', results, IDS)
    assert list(tmp_path.iterdir()) == []


def test_activitynet(tmp_path, results):
    write_activitynet(tmp_path / 'c.json', results, IDS)
    content = read_submission(tmp_path / 'c.json')
    assert content['version'] == 'VERSION 1.3' and content['external_data'] == {'used': False, 'details': ''}
    assert content['results'][IDS[2]][0] == {'label': 'archery', 'score': 0.5} and len(content['results'][IDS[2]]) == 6
    assert check_activitynet(content, IDS, classes=CLASSES) == []
    content['results'][IDS[0]].append({'label': 'archery', 'score': 0.1})
    assert check_activitynet(content, IDS) == ['-abcdefghi0: it has a class twice.']
    assert len(check_activitynet(content, IDS, task='localization')) == 3
    with pytest.raises(ValueError, match="got 'captioning'"):
        check_activitynet(content, IDS, task='captioning')


@pytest.mark.parametrize(
    ('segment', 'is_right'),
    [([0.5, 2], True), ([2, 0.5], False), ([0, float('nan')], False), ([1], False), (None, False), ([-1, 2], False)],
)
def test_segments(tmp_path, results, segment, is_right):
    for own in results.values():
        for one in own:
            one['segment'] = [0, 1]
    results[IDS[1]][1]['segment'] = segment
    if is_right:
        write_activitynet(tmp_path / 'l.json', results, IDS, task='localization')
        first = read_submission(tmp_path / 'l.json')['results'][IDS[1]][0]
        assert first == {'label': 'archery', 'score': 0.5, 'segment': segment}
    else:
        with pytest.raises(ValueError, match="_abcdefghi1: the segment of 'archery' is"):
            write_activitynet(tmp_path / 'l.json', results, IDS, task='localization')


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('k400/val/-abcdefghi0_000010_000020.mp4', '-abcdefghi0'),
        ('_abcdefghi1_000010_000020', '_abcdefghi1'),
        ('v_abcdefghij2.webm', 'abcdefghij2'),
        ('folder.x/abc.def.avi', 'abc.def'),
    ],
)
def test_ids_of_files(name, key):
    assert video_id(name) == key


def test_lists_of_test_videos(tmp_path):
    (tmp_path / 'k.csv').write_text('\ufeffyoutube_id,time_start,time_end,split\n' + ''.join(f'{key},0,10,test\n' for key in IDS))
    (tmp_path / 'a.json').write_text(json.dumps({'database': {'x': {'subset': 'testing'}, 'y': {'subset': 'training'}}}))
    (tmp_path / 'ids.txt').write_text('\n'.join(IDS) + '\n\n')
    (tmp_path / 'wrong.csv').write_text('id\nx\n')
    assert read_official_ids(tmp_path / 'k.csv') == read_official_ids(tmp_path / 'ids.txt') == IDS
    assert read_official_ids(tmp_path / 'a.json', 'testing') == ['x'] and read_official_ids(tmp_path / 'a.json') == ['x', 'y']
    for name, error, message in (
        ('none.csv', FileNotFoundError, 'no list of test videos'), ('wrong.csv', KeyError, 'no column youtube_id, found id'),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            read_official_ids(tmp_path / name)
    with pytest.raises(ValueError, match="subset 'validation'"):
        read_official_ids(tmp_path / 'a.json', 'validation')
    for name in ('k.csv', 'ids.txt'):
        with pytest.raises(ValueError, match=f"{name} has no subset 'testing', only a JSON file"):
            read_official_ids(tmp_path / name, 'testing')


@pytest.mark.parametrize(
    ('content', 'error', 'message'),
    [
        ([], ValueError, 'must hold one object'),
        ({'videos': {}}, KeyError, "no field 'database'"),
        ({'database': ['x']}, ValueError, 'database must be an object'),
        ({'database': {'x': 'testing'}}, ValueError, 'database must be an object'),
    ],
)
def test_a_database_of_another_form(tmp_path, content, error, message):
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(error, match=message):
        read_official_ids(tmp_path / 'a.json', 'testing')


@pytest.mark.parametrize('classes', [None, 'archery', {'archery': 0.5}, 3])
def test_classes_of_another_form(tmp_path, classes):
    (tmp_path / 'r.json').write_text(json.dumps([{'sample_id': IDS[0], 'classes': classes}]))
    with pytest.raises(ValueError, match='r.json: entry 0, -abcdefghi0: classes must be a list of labels with scores, it is'):
        read_action_results(tmp_path / 'r.json')


def test_from_the_metric_to_the_submission(tmp_path, monkeypatch, capsys):
    evaluator = Evaluator([METRICS.build(dict(type='ActionResults', outfile=str(tmp_path / 'r.json')))])
    evaluator.dataset_meta = {'classes': CLASSES}
    samples = []
    for index, key in enumerate(IDS):
        item = ImageTextSample(metainfo={'sample_id': f'{key}_000001_000011.mp4'})
        item.set_data({'pred_scores': torch.arange(6.0).roll(index)})
        samples.append(item)
    evaluator.process(samples)
    assert evaluator.evaluate(3) == {'num_videos': 3.0}
    found = read_action_results(tmp_path / 'r.json')
    assert list(found) == IDS and found[IDS[1]][0] == {'label': 'abseiling', 'score': 5.0} and len(found[IDS[0]]) == 5
    (tmp_path / 'ids.txt').write_text('\n'.join(IDS))

    def tool(*arguments):
        monkeypatch.setattr(sys, 'argv', ['action_submission.py', *map(str, arguments)])
        runpy.run_path(str(REPO_ROOT / 'tools/leaderboards/action_submission.py'), run_name='__main__')

    tool('pack', 'kinetics', tmp_path / 'k.json', tmp_path / 'r.json', '--videos', tmp_path / 'ids.txt')
    tool('check', 'kinetics', tmp_path / 'k.json', '--videos', tmp_path / 'ids.txt')
    assert 'k.json is in order' in capsys.readouterr().out
    with pytest.raises(SystemExit, match="version is 'KINETICS VERSION 1.0', expected 'VERSION 1.3'"):
        tool('check', 'activitynet', tmp_path / 'k.json', '--videos', tmp_path / 'ids.txt')
    with pytest.raises(SystemExit, match='error: --task localization is for activitynet: kinetics has one task'):
        tool('check', 'kinetics', tmp_path / 'k.json', '--videos', tmp_path / 'ids.txt', '--task', 'localization')
    (tmp_path / 'names.txt').write_text('\n'.join(CLASSES[1:]))
    with pytest.raises(SystemExit, match="label 'abseiling' is no class"):
        tool('check', 'kinetics', tmp_path / 'k.json', '--videos', tmp_path / 'ids.txt', '--classes', tmp_path / 'names.txt')
    tool('pack', 'activitynet', tmp_path / 'a.json', tmp_path / 'r.json', '--videos', tmp_path / 'ids.txt')
    tool('check', 'activitynet', tmp_path / 'a.json', '--videos', tmp_path / 'ids.txt')
    with pytest.raises(SystemExit, match='error: no results file'):
        tool('pack', 'activitynet', tmp_path / 'a.json', tmp_path / 'none.json', '--videos', tmp_path / 'ids.txt')


def test_the_metric_names_what_is_missing(tmp_path):
    metric = METRICS.build(dict(type='ActionResults', outfile=str(tmp_path / 'r.json'), classes=('a', 'b')))
    with pytest.raises(KeyError, match=r'PackActionInputs\(meta_keys'):
        metric.process(None, [{'pred_score': torch.ones(2)}])
    for shape in ((3,), (2, 2), (1, 2), ()):
        with pytest.raises(ValueError, match=r'a.mp4 has scores of shape \(.*\), expected one for each of 2 classes'):
            metric.process(None, [{'pred_score': torch.ones(shape), 'filename': 'a.mp4'}])
    metric.process(None, [{'pred_score': torch.ones(2), 'filename': 'a.mp4'}] * 2)
    with pytest.raises(ValueError, match='a video occurs twice'):
        metric.compute_metrics(metric.results)
    with pytest.raises(KeyError, match='knows no class names'):
        METRICS.build(dict(type='ActionResults', outfile='x.json')).process(None, [])
