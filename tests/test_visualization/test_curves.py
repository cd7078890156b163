"""Reading of logs and the loss curve."""

import json
import runpy
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from florence.visualization import draw_loss_curve, read_log_records
from florence.visualization.curves import smooth

TRAINING = [{'loss': 3.0 - 0.1 * i, 'lr': 0.1, 'step': 10 * i} for i in range(1, 11)]
VALIDATIONS = [{'digits/top1': 50.0, 'digits/top5': 70.0, 'step': 50}, {'digits/top1': 80.0, 'digits/top5': 90.0, 'step': 100}]
RECORDS = [*TRAINING[:5], VALIDATIONS[0], *TRAINING[5:], VALIDATIONS[1]]


@pytest.fixture
def drawn(monkeypatch):
    """The figure that was written last."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *args, **kwargs: (figures.append(self), save(self, *args, **kwargs)))
    return figures


def curves(panel):
    return {line.get_label(): line.get_xydata().tolist() for line in panel.get_lines()}


def write_log(folder, records):
    file = folder / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(record) + '\n' for record in records))
    return file


def test_panels_show_the_numbers(tmp_path, drawn):
    draw_loss_curve(RECORDS, tmp_path / 'sub' / 'curve.png', title='a run')
    loss, metrics, rate = drawn[0].axes
    assert curves(loss)['as logged'] == [[record['step'], record['loss']] for record in TRAINING]
    assert curves(metrics) == {'digits/top1  80.0': [[50, 50.0], [100, 80.0]]}
    assert rate.get_lines()[0].get_xydata().tolist() == [[record['step'], 0.1] for record in TRAINING]
    assert [panel.get_ylabel() for panel in drawn[0].axes] == ['training loss', 'validation', 'learning rate']
    assert Image.open(tmp_path / 'sub' / 'curve.png').size[0] == 1200
    assert [path.name for path in (tmp_path / 'sub').iterdir()] == ['curve.png']


def test_metrics_that_are_asked_for(tmp_path, drawn):
    draw_loss_curve(RECORDS, tmp_path / 'curve.png', metrics=['digits/top5'])
    assert curves(drawn[0].axes[1]) == {'digits/top5  90.0': [[50, 70.0], [100, 90.0]]}
    with pytest.raises(ValueError, match=r"has \['digits/top9'\]; it has \['digits/top1', 'digits/top5'\]"):
        draw_loss_curve(RECORDS, tmp_path / 'curve.png', metrics=['digits/top9'])


def test_metrics_without_a_headline_are_all_drawn(tmp_path, drawn):
    draw_loss_curve([*TRAINING, {'depth/rmse': 0.5, 'time': 1.0, 'data_time': 0.1, 'step': 100}], tmp_path / 'curve.png')
    assert curves(drawn[0].axes[1]) == {'depth/rmse  0.5': [[100, 0.5]]}


def test_validation_by_epoch_is_placed_at_its_iteration(tmp_path, drawn):
    records = [*TRAINING[:5], {'top1': 1.0, 'step': 1}, *TRAINING[5:], {'top1': 2.0, 'step': 2}]
    draw_loss_curve(records, tmp_path / 'curve.png')
    assert curves(drawn[0].axes[1]) == {'top1  2.0': [[50, 1.0], [100, 2.0]]}


def test_a_loss_that_is_not_finite_is_marked(tmp_path, drawn):
    records = [{**record, 'loss': float('nan')} if record['step'] == 40 else record for record in TRAINING]
    draw_loss_curve(records, tmp_path / 'curve.png')
    assert curves(drawn[0].axes[0])['not finite'] == [[40, 0.0]]
    assert np.isfinite(curves(drawn[0].axes[0])['smoothed']).all()


def test_smooth():
    assert smooth(np.array([1.0, 2.0, 6.0, np.nan, 4.0])).tolist() == [1.5, 3.0, 4.0, 5.0, 4.0]
    assert smooth(np.full(200, 3.0)).tolist() == [3.0] * 200
    assert np.isnan(smooth(np.array([np.nan]))).all()


def test_resumed_run_replaces_what_it_repeats(tmp_path):
    write_log(tmp_path / '20250101_000000', RECORDS)
    resumed = [{'loss': 9.0, 'step': 60}, {'loss': 8.0, 'step': 70}]
    file = write_log(tmp_path / '20250102_000000', resumed)
    assert read_log_records(tmp_path) == [*TRAINING[:5], VALIDATIONS[0], *resumed]
    assert read_log_records(file) == resumed


def test_log_mistakes(tmp_path):
    with pytest.raises(FileNotFoundError, match='scalars.json'):
        read_log_records(tmp_path)
    file = write_log(tmp_path / 'run', TRAINING)
    file.write_text(file.read_text() + '{"loss": 1.0, "st')
    assert read_log_records(file) == TRAINING
    file.write_text('oops\n{"loss": 1.0, "step": 1}\n')
    with pytest.raises(ValueError, match='line 1 of .* is no JSON object'):
        read_log_records(file)
    file.write_text('3\n{"loss": 1.0, "step": 1}\n')
    with pytest.raises(ValueError, match='line 1 of .* but int'):
        read_log_records(file)
    with pytest.raises(ValueError, match='no training record'):
        draw_loss_curve(VALIDATIONS, tmp_path / 'curve.png')
    assert not (tmp_path / 'curve.png').exists()


def test_command_line(tmp_path, repo_root, monkeypatch):
    write_log(tmp_path / 'run', RECORDS)
    tool = str(repo_root / 'tools/analysis_tools/plot_loss_curve.py')
    monkeypatch.setattr(sys, 'argv', ['plot_loss_curve.py', str(tmp_path / 'run'), str(tmp_path / 'curve.png')])
    runpy.run_path(tool, run_name='__main__')
    assert Image.open(tmp_path / 'curve.png').format == 'PNG'
    monkeypatch.setattr(sys, 'argv', ['plot_loss_curve.py', str(tmp_path / 'nothing'), str(tmp_path / 'curve.png')])
    with pytest.raises(SystemExit, match='error: no vis_data/scalars.json'):
        runpy.run_path(tool, run_name='__main__')
