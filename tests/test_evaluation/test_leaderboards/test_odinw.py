"""The ODinW table and the submission file."""

import json
import statistics

import pytest

from florence.evaluation.leaderboards.odinw_submission import check_odinw_submission, write_odinw_submission
from florence.evaluation.leaderboards.odinw_table import odinw_table, to_markdown, write_odinw_table
from florence.evaluation.leaderboards.table7 import TABLE7
from florence.tasks.odinw import sets_of


@pytest.mark.parametrize(('column', 'mean'), [('florence', 41.5), ('zsd', 13.5), ('full', 68.65), ('five_shot', 33.3)])
def test_published_means_follow_from_the_figures(column, mean):
    assert set(TABLE7) == {each.name for each in sets_of('florence11')}
    assert statistics.fmean(getattr(row, column) for row in TABLE7.values()) == pytest.approx(mean, abs=0.06)


def test_sets_that_were_not_found_do_not_count():
    table = odinw_table({'BCCD': {'AP': 20.0}, 'pothole': {'AP': 40.0}}, 'florence11', 'zero-shot')
    assert (table['mean'], table['mean_of_found'], table['num_found']) == (None, 30.0, 2)
    assert table['published_mean_of_found'] == pytest.approx((15.3 + 53.3) / 2)
    assert len(table['missing']) == 9 and 'PKLot' in table['missing']
    text = to_markdown(table)
    assert '| BCCD | 20.0 | 15.3 |' in text and '| **mean of 2 of 11 sets** | 30.0 | 34.3 |' in text
    assert 'Sets without our figure: Aquarium' in text


def test_the_mean_of_a_whole_group_is_unweighted():
    runs = {each.name: {'AP': float(index)} for index, each in enumerate(sets_of('odinw13'))}
    table = odinw_table(runs, 'odinw13', 'full')
    assert (table['mean'], table['missing']) == (6.0, [])
    assert table['published_mean_of_found'] is None, 'the paper has five of the thirteen'


def test_few_shot_mean_and_deviation(tmp_path):
    runs = {'BCCD': {'AP_by_seed': {'3': 40.0, '30': 42.0, '300': 47.0}, 'few_shot_source': 'files'}}
    table = write_odinw_table(runs, 'florence11', 'few-shot', {'shots': 5}, tmp_path)
    row = next(row for row in table['rows'] if row['set'] == 'BCCD')
    assert (row['AP'], row['published']) == (43.0, 40.6)
    assert row['AP_std'] == pytest.approx(((9 + 1 + 16) / 2) ** 0.5)
    assert json.loads((tmp_path / 'odinw.json').read_text())['settings'] == {'shots': 5}
    assert '| BCCD | 43.0 +- 3.6 | 40.6 |' in (tmp_path / 'odinw.md').read_text()
    one_shot = odinw_table(runs, 'florence11', 'few-shot', 1)
    assert one_shot['published_mean_of_found'] is None, 'the paper has five shots only'
    with pytest.raises(ValueError, match=r'BCCD: few-shot results need the seeds \(3, 30, 300\), found \(3,\)'):
        odinw_table({'BCCD': {'AP_by_seed': {'3': 40.0}}}, 'florence11', 'few-shot')


def test_faults_of_a_table_are_named():
    with pytest.raises(KeyError, match="the group odinw13 has no set 'BCCD'"):
        odinw_table({'BCCD': {'AP': 1.0}}, 'odinw13', 'full')
    with pytest.raises(ValueError, match='BCCD: AP must be a percentage from 0 to 100, found -100'):
        odinw_table({'BCCD': {'AP': -100.0}}, 'florence11', 'full')
    with pytest.raises(ValueError, match="got 'linear'"):
        odinw_table({}, 'florence11', 'linear')


@pytest.fixture
def ann_files(tmp_path):
    """One image of 100 x 80 pixels and the category 3 in every set."""
    path = tmp_path / 'annotations.json'
    content = {'images': [{'id': 5, 'width': 100, 'height': 80}], 'categories': [{'id': 3, 'name': 'a'}], 'annotations': []}
    path.write_text(json.dumps(content))
    return {each.name: path for each in sets_of('odinw13')}


GOOD = {'image_id': 5, 'category_id': 3, 'bbox': [1.0, 2.0, 30.0, 40.0], 'score': 0.5}


def test_a_good_submission_has_no_problem(tmp_path, ann_files):
    write_odinw_submission(tmp_path / 'full.json', dict.fromkeys(ann_files, [GOOD]))
    assert check_odinw_submission(tmp_path / 'full.json', 'odinw13', ann_files) == []
    by_seed = {seed: [GOOD] for seed in ('3', '30', '300')}
    write_odinw_submission(tmp_path / 'few.json', dict.fromkeys(ann_files, by_seed))
    assert check_odinw_submission(tmp_path / 'few.json', 'odinw13', ann_files, few_shot=True) == []


def test_problems_are_named(tmp_path, ann_files):
    results = dict.fromkeys(ann_files, [GOOD])
    results |= {'pothole': [{**GOOD, 'image_id': 6}], 'Raccoon': {'3': [GOOD]}, 'PKLot': [GOOD]}
    del results['Packages']
    path = tmp_path / 'submission.json'
    write_odinw_submission(path, results)
    del ann_files['Aquarium']
    problems = check_odinw_submission(path, 'odinw13', ann_files)
    assert problems[0] == 'Packages: no results; the group odinw13 needs them.'
    assert problems[1] == 'PKLot: not a set of the group odinw13.'
    rest = {problem.partition(':')[0]: problem for problem in problems[2:]}
    assert set(rest) == {'Aquarium', 'pothole', 'Raccoon'}
    assert 'name an image that the annotation file does not have (entry 0: 6)' in rest['pothole']
    assert rest['Raccoon'] == 'Raccoon: expected a list of detections, found a dict.'
    few = check_odinw_submission(path, 'odinw13', ann_files, few_shot=True)
    assert 'Raccoon: few-shot results need the seeds 3, 30, 300, found 3.' in few
    path.write_text(path.read_text()[:50])
    assert 'cut short or no JSON' in check_odinw_submission(path, 'odinw13', ann_files)[0]
    path.write_bytes(b'\x80\x81')
    assert 'cut short or no JSON' in check_odinw_submission(path, 'odinw13', ann_files)[0]
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_odinw_submission(path, {'BCCD': [{**GOOD, 'score': float('nan')}]})
