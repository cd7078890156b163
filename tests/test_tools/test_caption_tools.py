"""The tools that score captions and pack them for leaderboards."""

import json
import runpy
import sys

import pytest
from conftest import REPO_ROOT

from florence.evaluation.functional.caption_scores import caption_scores
from florence.evaluation.leaderboards.caption_submission import read_captions

TEXTS = ['a red dog', 'two cats sleep', 'a zebra']
GIVEN = ['a red dog runs', 'two cats', '']
METRICS = ('bleu', 'rouge_l', 'cider')


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a tool in `tmp_path`; what it printed, and the message it ended with."""
    images = [{'id': number, 'domain': 'in-domain'} for number in range(3)]
    annotations = [{'id': number, 'image_id': number, 'caption': text} for number, text in enumerate(TEXTS)]
    (tmp_path / 'val.json').write_text(json.dumps({'images': images, 'annotations': annotations}))
    results = [{'image_id': number, 'caption': caption} for number, caption in enumerate(GIVEN)]
    (tmp_path / 'results.json').write_text(json.dumps(results))
    (tmp_path / 'ids.json').write_text('[0, 1]')
    monkeypatch.chdir(tmp_path)

    def call(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        message = None
        try:
            runpy.run_path(str(REPO_ROOT / 'tools' / tool), run_name='__main__')
        except SystemExit as error:
            message = error.code
        return capsys.readouterr().out, message

    return call


def test_scores(run, tmp_path):
    tool = 'analysis_tools/caption_scores.py'
    printed, message = run(
        tool, 'results.json', 'val.json', '--json', 'out.json', '--per-image', '--write-document-frequency', 'idf.json'
    )
    assert message is None and 'all: Bleu_1' in printed and 'document frequencies of 3 images' in printed
    report = json.loads((tmp_path / 'out.json').read_text())
    expected = caption_scores(GIVEN, [[text] for text in TEXTS], metrics=METRICS)
    assert report['all'] == {name: pytest.approx(100 * score) for name, score in expected.corpus.items()} | {
        'images': 3,
        'empty': 1,
    }
    assert report['in-domain'] == report['all']
    assert report['per_image']['1']['CIDEr'] == pytest.approx(100 * expected.per_image['CIDEr'][1])
    # The same idf from the file gives the same score, and a file of one image a score above 0.
    assert run(tool, 'results.json', 'val.json', '--document-frequency', 'idf.json', '--json', 'again.json')[1] is None
    assert json.loads((tmp_path / 'again.json').read_text())['all'] == report['all']


def test_scores_of_a_subset(run, tmp_path):
    (tmp_path / 'one.json').write_text(json.dumps([{'image_id': 1, 'caption': 'two cats sleep'}]))
    tool = 'analysis_tools/caption_scores.py'
    assert '2 images of 3 are not answered' in run(tool, 'one.json', 'val.json')[1]
    printed, message = run(tool, 'one.json', 'val.json', '--subset', '--metrics', 'rouge_l')
    assert message is None and 'scoring 1 of 3 images.' in printed and 'all: ROUGE_L 100.00' in printed
    assert 'give one' in run(tool, 'one.json', 'val.json', '--per-image')[1]
    assert 'caption metrics are' in run(tool, 'one.json', 'val.json', '--metrics', 'bertscore')[1]


def test_pack_for_coco(run, tmp_path):
    tool = 'leaderboards/caption_submission.py'
    options = ('--algorithm', 'meter', '--out', 'out', '--json', 'report.json')
    printed, message = run(tool, 'coco', 'results.json', '--images', 'val.json', '--split', 'test2014', *options)
    path = tmp_path / 'out/captions_test2014_meter_results.zip'
    assert message is None and '3 images, 1 of them empty' in printed and [one['caption'] for one in read_captions(path)] == GIVEN
    assert json.loads((tmp_path / 'report.json').read_text())['splits'] == {'test2014': {'images': 3, 'empty': 1}}
    assert run(tool, 'check', str(path), '--images', 'val.json')[1] is None
    assert 'does not have: is it of the same split (2)' in run(tool, 'check', str(path), '--images', 'ids.json')[1]
    two = ('coco', 'results.json', 'results.json', '--images', 'val.json', 'val.json', *options)
    assert run(tool, *two, '--split', 'val2014', 'test2014')[1] is None
    assert (tmp_path / 'out/captions_meter_results.zip').is_file()
    assert 'one of each for every split' in run(tool, *two, '--split', 'val2014')[1]


def test_pack_for_nocaps(run, tmp_path):
    arguments = ('nocaps', 'results.json', '--images', 'val.json', '--split', 'val', '--algorithm', 'meter', '--out', 'out')
    printed, message = run('leaderboards/caption_submission.py', *arguments, '--score', '--json', 'report.json')
    assert message is None and 'in-domain: images 3' in printed
    scores = json.loads((tmp_path / 'report.json').read_text())['scores']
    expected = caption_scores(GIVEN, [[text] for text in TEXTS], metrics=METRICS).corpus
    assert scores['in-domain']['CIDEr'] == pytest.approx(100 * expected['CIDEr'], abs=1e-4)
    assert [one['caption'] for one in read_captions(tmp_path / 'out/nocaps_val_meter_results.json')] == GIVEN
