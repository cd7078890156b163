"""The tool that packs and checks submissions of detections."""

import json
import runpy
import sys

import pytest
from conftest import REPO_ROOT

from florence.evaluation.leaderboards import read_results

TOOL = REPO_ROOT / 'tools/leaderboards/detection_submission.py'
BOX = [1.0, 2.0, 3.0, 4.0]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the tool in `tmp_path`; what it printed, and the message it ended with."""
    annotations = {'images': [{'id': 7, 'height': 80, 'width': 100}], 'categories': [{'id': 1, 'name': 'cat'}]}
    (tmp_path / 'info.json').write_text(json.dumps(annotations))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments, '--ann-file', 'info.json'])
        message = None
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as error:
            message = error.code
        return capsys.readouterr().out, message

    return call


def write(path, scores, **fields):
    path.write_text(json.dumps([{'image_id': 7, 'category_id': 1, 'bbox': BOX, 'score': score, **fields} for score in scores]))


def test_pack_and_check(run, tmp_path):
    write(tmp_path / 'a.json', [0.5, 0.25])
    write(tmp_path / 'b.json', [0.5, 0.25])
    name = 'detections_test-dev2017_dyhead_results.zip'
    pack = ('pack', 'out', 'a.json', 'b.json', '--split', 'test-dev2017', '--algorithm', 'dyhead')
    printed, message = run(*pack)
    assert message is None and 'wrote' in printed and '2 detections in 1 of 1 images' in printed and '1 images were in' in printed
    assert [one['score'] for one in read_results(tmp_path / 'out' / name)] == [0.5, 0.25]
    assert run('check', f'out/{name}') == (f'out/{name} is in order.\n', None)


def test_limit_of_an_image(run, tmp_path):
    write(tmp_path / 'a.json', [place / 400 for place in range(301)])
    pack = ('pack', 'out', 'a.json', '--split', 'val', '--algorithm', 'x')
    for leaderboard, limit in (('coco', 100), ('lvis', 300)):
        _, message = run(*pack, '--leaderboard', leaderboard)
        assert f'more than {limit} detections (image 7 has 301)' in message and not (tmp_path / 'out').exists()
    printed, message = run(*pack, '--leaderboard', 'lvis', '--keep-best')
    assert message is None and 'left out 1 detections beyond 300 per image' in printed
    assert min(one['score'] for one in read_results(tmp_path / 'out/detections_val_x_results.zip')) == 1 / 400


def test_what_is_wrong_is_said(run, tmp_path):
    write(tmp_path / 'a.json', [0.5, 0.5], image_id=9, bbox=[1, 2, -3, 4])
    _, message = run('check', 'a.json')
    assert message.splitlines() == [
        '2 entries name an image that the annotation file does not have (entry 0: 9).',
        '2 entries have a box of negative width or height (entry 0: [1, 2, -3, 4]).',
    ]
    write(tmp_path / 'b.json', ['high'] * 101)
    _, message = run('pack', 'out', 'b.json', '--split', 'val', '--algorithm', 'x', '--keep-best')
    assert message == "101 entries have a score that is no finite number (entry 0: 'high')."
    write(tmp_path / 'c.json', [0.5])
    _, message = run('pack', 'c.json', 'c.json', '--split', 'val', '--algorithm', 'x')
    assert message.startswith('error: ') and 'File exists' in message, 'the folder to write to is a file'
    assert 'error: no results file' in run('check', 'none.json')[1]
    assert 'server splits names' in run('pack', 'out', 'a.json', '--split', 'val', '--algorithm', 'a_b')[1]
