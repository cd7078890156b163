"""Retrieval tables: own rows beside published ones, refusals, the checker, the command line."""

import json
import sys
from pathlib import Path

import pytest
from conftest import REPO_ROOT

from florence.evaluation.leaderboards.retrieval_table import (
    COLUMNS,
    PROTOCOLS,
    check_retrieval_table,
    retrieval_table,
    to_markdown,
    write_retrieval_table,
)


def metrics(*prefixes, start=50.0, columns=COLUMNS):
    recalls = {f'{prefix}{column}': start + index % 3 for prefix in prefixes for index, column in enumerate(columns)}
    return {**recalls, 'mean_R': 7.0}


RESULTS = {
    'coco': metrics('', 'two_tower_', 'fold_', 'two_tower_fold_'),
    'flickr30k': metrics(''),
    'msrvtt': metrics('', columns=PROTOCOLS[-1].columns),
}


def test_own_rows_stand_below_the_published_ones():
    table = retrieval_table(RESULTS, 'METER-CoSwin')
    names = [[row['model'] for row in part['rows']] for part in table['tables']]
    published = ['Florence, zero-shot', 'Florence, fine-tuned', 'METER, fine-tuned']
    own = ['METER-CoSwin, two towers', 'METER-CoSwin, re-ranked']
    assert (
        names[:3] == [published + own, own, [*published, 'METER-CoSwin']]
        and names[3][-1] == 'METER-CoSwin'
        and table['missing'] == []
    )
    florence = table['tables'][0]['rows'][1]
    assert (florence['i2t_R@1'], florence['t2i_R@5'], florence['i2t_R@10']) == (81.8, 85.7, None)
    assert table['tables'][2]['rows'][2]['t2i_R@10'] == 98.4 and all(row['source'] for row in table['tables'][0]['rows'][:3])
    assert table['tables'][3]['rows'][0]['t2v_R@1'] == 37.6 and table['tables'][3]['rows'][0]['v2t_R@1'] is None
    lines = to_markdown(table).splitlines()
    assert '| model | source | t2v_R@1 | t2v_R@5 | t2v_R@10 | v2t_R@1 | v2t_R@5 | v2t_R@10 |' in lines
    assert '| METER-CoSwin | this project | 50.0 | 51.0 | 52.0 | 50.0 | 51.0 | 52.0 |' in lines
    assert '| Florence, zero-shot | arXiv 2111.11432 | 64.7 | 85.9 |  | 47.2 | 71.4 |  |' in lines


def test_tables_without_an_own_row_are_listed():
    assert retrieval_table({'coco': metrics('')})['missing'] == [
        'COCO, mean of five folds of 1,000 test images',
        'Flickr30k, 1,000 test images',
        'MSR-VTT, the 1,000 test pairs "1k-A"',
    ]


@pytest.mark.parametrize(
    ('results', 'error', 'message'),
    [
        ({'coc': metrics('')}, KeyError, "coco, flickr30k, msrvtt, got 'coc'"),
        ({}, ValueError, 'got nothing'),
        ({'coco': metrics(''), 'flickr30k': {'accuracy': 5.0}}, KeyError, 'flickr30k has no i2t_R@1, it has accuracy'),
        ({'coco': {'i2t_R@1': 5.0}}, KeyError, r'coco has no i2t_R@5: evaluate with ks=\(1, 5, 10\)'),
        ({'msrvtt': {'t2v_R@1': 5.0}}, KeyError, 'msrvtt has no t2v_R@5'),
        ({'coco': metrics('', start=99.5)}, ValueError, 'coco/i2t_R@5 must be a percentage'),
    ],
)
def test_wrong_results_are_refused(results, error, message):
    with pytest.raises(error, match=message):
        retrieval_table(results)


def changed(table, where, value):
    *path, last = where
    part = table
    for key in path:
        part = part[key]
    part[last] = value


@pytest.mark.parametrize(
    ('where', 'value', 'problem'),
    [
        (('tables', 0, 'rows', 1, 'i2t_R@1'), 10.0, "the published row 'Florence, fine-tuned' is missing or changed"),
        (('tables', 2, 'rows', 3, 't2i_R@5'), 10.0, 'ours: recall falls where K grows'),
        (('tables', 2, 'rows', 3, 't2i_R@5'), 'x', "ours: t2i_R@5 is 'x', expected a percentage"),
        (('tables', 3, 'rows', -1, 'v2t_R@5'), 10.0, 'ours: recall falls where K grows'),
        (('tables', 1, 'title'), 'COCO', 'COCO, mean of five folds of 1,000 test images is missing'),
        (('missing',), ['COCO'], 'missing is'),
    ],
)
def test_the_checker_finds_changes(tmp_path, where, value, problem):
    table = write_retrieval_table(RESULTS, tmp_path)
    assert check_retrieval_table(tmp_path / 'retrieval.json') == []
    changed(table, where, value)
    (tmp_path / 'retrieval.json').write_text(json.dumps(table))
    assert any(problem in found for found in check_retrieval_table(tmp_path / 'retrieval.json'))


@pytest.mark.parametrize('content', ['{', '[]', '{"tables": 3}', '{"tables": [{"title": "a", "rows": [{"source": null}]}]}'])
def test_the_checker_says_what_is_no_table(tmp_path, content):
    (tmp_path / 'retrieval.json').write_text(content)
    (problem,) = check_retrieval_table(tmp_path / 'retrieval.json')
    assert problem.startswith('not a retrieval table')


def test_tables_are_utf_8_whatever_the_machine_s_encoding(tmp_path, monkeypatch):
    read, write = Path.read_text, Path.write_text
    monkeypatch.setattr(Path, 'read_text', lambda path, encoding='ascii': read(path, encoding=encoding))
    monkeypatch.setattr(Path, 'write_text', lambda path, text, encoding='ascii': write(path, text, encoding=encoding))
    write_retrieval_table(RESULTS, tmp_path, 'modèle')
    assert 'modèle' in (tmp_path / 'retrieval.md').read_text(encoding='utf-8')
    written = tmp_path / 'retrieval.json'
    written.write_text(json.dumps(json.loads(written.read_text(encoding='utf-8')), ensure_ascii=False), encoding='utf-8')
    assert check_retrieval_table(written) == []


def test_the_tool_writes_and_checks(tmp_path, monkeypatch, capsys):
    import runpy

    def tool(*arguments):
        monkeypatch.setattr(sys, 'argv', ['retrieval_table.py', *map(str, arguments)])
        runpy.run_path(str(REPO_ROOT / 'tools' / 'leaderboards' / 'retrieval_table.py'), run_name='__main__')

    (tmp_path / 'coco.json').write_text(json.dumps(RESULTS['coco']))
    tool('write', tmp_path / 'out', f'coco={tmp_path}/coco.json', '--model', 'mine')
    assert 'mine, re-ranked' in capsys.readouterr().out and 'mine, re-ranked' in (tmp_path / 'out' / 'retrieval.md').read_text()
    with pytest.raises(SystemExit) as exited:
        tool('check', tmp_path / 'out' / 'retrieval.json')
    assert exited.value.code == 0
    with pytest.raises(SystemExit) as exited:
        tool('write', tmp_path / 'out', 'coco.json')
    assert exited.value.code.startswith("error: 'coco.json': give each data set once")
    (tmp_path / 'coco.json').write_bytes(b'\xff\xfe')
    with pytest.raises(SystemExit) as exited:
        tool('write', tmp_path / 'out', f'coco={tmp_path}/coco.json')
    assert exited.value.code.startswith(f'error: {tmp_path}/coco.json is not valid JSON')
