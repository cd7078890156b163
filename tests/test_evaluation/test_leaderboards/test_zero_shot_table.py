"""The zero-shot table: figures, mean, missing sets, and a checker that finds tampering."""

import json
import re
import runpy
import sys

import pytest

from florence.evaluation.leaderboards import (
    check_zero_shot_table,
    split_by_dataset,
    write_zero_shot_table,
    zero_shot_table,
)
from florence.evaluation.leaderboards.zero_shot_table import ENTRIES

TWELVE = [entry for entry in ENTRIES if entry.in_mean]


def complete_results():
    """5, 10, ..., 60 for the twelve sets: their mean is 32.5."""
    results = {entry.dataset: {entry.metric: 5.0 * rank} for rank, entry in enumerate(TWELVE, start=1)}
    results['imagenet']['top5'] = 90.0
    results['coco'] = {'i2t_R@1': 60.0, 't2i_R@1': 40.0, 'i2t_median_rank': 1.0}
    results['flickr30k'] = {'i2t_R@1': 80.0, 't2i_R@1': 70.0}
    return results


def test_complete_table(tmp_path):
    assert len(TWELVE) == 12
    table = write_zero_shot_table(complete_results(), tmp_path)
    assert table['mean_of_12'] == pytest.approx(32.5) and table['missing'] == []
    assert check_zero_shot_table(tmp_path / 'zero_shot.json') == []
    markdown = (tmp_path / 'zero_shot.md').read_text()
    assert '| ImageNet | top1 | 60.00 | 83.74 |' in markdown
    assert '| COCO, text to image | t2i_R@1 | 40.00 | 47.20 |' in markdown
    assert '| Food101 | top1 | 5.00 |  |' in markdown
    assert '| **mean of the twelve sets** | | 32.50 | |' in markdown
    assert 'without our figure: none.' in markdown


def test_missing_sets_are_listed_and_give_no_mean(tmp_path):
    results = complete_results()
    del results['dtd'], results['imagenet']['top5']
    table = write_zero_shot_table(results, tmp_path)
    assert table['mean_of_12'] is None and table['missing'] == ['dtd', 'imagenet']
    assert 'without our figure: dtd, imagenet.' in (tmp_path / 'zero_shot.md').read_text()
    assert check_zero_shot_table(tmp_path / 'zero_shot.json') == []


def test_mistakes():
    with pytest.raises(KeyError, match="no data set 'flowers'.*Did you mean 'flowers102'"):
        zero_shot_table({'flowers': {'top1': 1.0}})
    for value in (101.0, -1, float('nan'), '50', True):
        with pytest.raises(ValueError, match='cars/top1 must be a percentage'):
            zero_shot_table({'cars': {'top1': value}})
    with pytest.raises(ValueError, match="'top1' does not say its data set"):
        split_by_dataset({'top1': 1.0})


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (lambda table: table.update(mean_of_12=99.0), 'mean_of_12 is 99.0, the rows give 32.5'),
        (lambda table: table.update(mean_of_12=None), 'mean_of_12 is None'),
        (lambda table: table.update(mean_of_12='32.5'), "mean_of_12 is '32.5'"),
        (lambda table: table['rows'][0].update(ours=None), r"missing is \[\], the rows lack \['food101'\]"),
        (lambda table: table['rows'][0].update(ours=120), 'food101/top1: ours is 120'),
        (lambda table: table['rows'][11].update(published=10.0), 'imagenet/top1: published is 10.0, expected 83.74'),
        (lambda table: table['rows'].pop(3), 'sun397/top1 is missing'),
        (lambda table: table['rows'].append(table['rows'][0]), '18 rows, expected 17'),
        (lambda table: table.pop('rows'), 'not a zero-shot table'),
    ],
)
def test_checker_finds(tmp_path, change, problem):
    write_zero_shot_table(complete_results(), tmp_path)
    file = tmp_path / 'zero_shot.json'
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))
    assert re.search(problem, '\n'.join(check_zero_shot_table(file)))


def test_checker_on_no_table(tmp_path):
    for text in ('{', '[]', '3', '{"rows": [1]}'):
        (tmp_path / 'x.json').write_text(text)
        assert check_zero_shot_table(tmp_path / 'x.json')[0].startswith('not a zero-shot table')


def test_command_line(tmp_path, repo_root, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['zero_shot_table.py', *map(str, arguments)])
        runpy.run_path(str(repo_root / 'tools/leaderboards/zero_shot_table.py'), run_name='__main__')

    (tmp_path / 'all.json').write_text(json.dumps({'imagenet/top1': 50.0, 'imagenet/top5': 75.0}))
    (tmp_path / 'voc.json').write_text(json.dumps({'mAP': 60.0}))
    run('write', tmp_path / 'out', tmp_path / 'all.json', f'voc2007={tmp_path / "voc.json"}')
    assert '| VOC2007 | mAP | 60.00 |' in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        run('check', tmp_path / 'out' / 'zero_shot.json')
    assert end.value.code == 0
    with pytest.raises(SystemExit, match='gives imagenet/top1 again'):
        run('write', tmp_path / 'out', tmp_path / 'all.json', tmp_path / 'all.json')
    with pytest.raises(SystemExit, match='No such file'):
        run('check', tmp_path / 'none.json')
    (tmp_path / 'out' / 'zero_shot.json').write_text('{}')
    with pytest.raises(SystemExit, match='not a zero-shot table'):
        run('check', tmp_path / 'out' / 'zero_shot.json')
