"""AP50 of a file of detections, through the tool."""

import json
import runpy
import sys

import pytest

CONTENT = {
    'images': [{'id': 4}, {'id': 2}],
    'categories': [{'id': 9, 'name': 'man'}, {'id': 5, 'name': 'car'}],
    'annotations': [
        {'image_id': 4, 'category_id': 9, 'bbox': [0, 0, 10, 10]},
        {'image_id': 2, 'category_id': 9, 'bbox': [0, 0, 10, 10]},
        {'image_id': 2, 'category_id': 5, 'bbox': [5, 5, 10, 10]},
    ],
}
FOUND = [
    {'image_id': 4, 'category_id': 9, 'bbox': [0, 0, 10, 9], 'score': 0.9},
    {'image_id': 2, 'category_id': 5, 'bbox': [30, 0, 10, 10], 'score': 0.9},
]


@pytest.fixture
def run(tmp_path, repo_root, monkeypatch):
    def run(found):
        (tmp_path / 'ann.json').write_text(json.dumps(CONTENT))
        (tmp_path / 'found.json').write_text(json.dumps(found))
        arguments = [tmp_path / 'ann.json', tmp_path / 'found.json', '--json', tmp_path / 'out.json']
        monkeypatch.setattr(sys, 'argv', ['visual_genome.py', *map(str, arguments)])
        runpy.run_path(str(repo_root / 'tools/leaderboards/visual_genome.py'), run_name='__main__')
        return json.loads((tmp_path / 'out.json').read_text())

    return run


def test_figures(run, capsys):
    figures = run(FOUND)
    # man: one of two found; car: missed.
    assert (figures['AP50'], figures['weighted_AP50'], figures['AP50_present']) == (25.0, pytest.approx(100 / 3), 25.0)
    assert (figures['num_classes'], figures['num_images'], figures['is_comparable']) == (2, 2, False)
    assert figures['published'] == {'Florence': 16.2, 'VinVL': 13.8}
    assert 'not comparable: 2 classes' in capsys.readouterr().out


def test_an_unknown_category_is_an_error(run):
    with pytest.raises(SystemExit, match='image 4 and category 1, one of which the annotation file'):
        run([{**FOUND[0], 'category_id': 1}])
    with pytest.raises(SystemExit, match='entry 0 is no detection'):
        run([{'image_id': 4}])
