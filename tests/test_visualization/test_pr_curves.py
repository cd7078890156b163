"""Precision-recall curves: what is drawn, read back from matplotlib."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from florence.visualization.pr_curves import draw_pr_curves
from florence.visualization.report_page import ReportTable, write_report_page

RECALLS = np.linspace(0, 1, 11)


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved."""
    saved = []
    original = Figure.savefig

    def remember(figure, *args, **options):
        saved.append(figure)
        return original(figure, *args, **options)

    monkeypatch.setattr(Figure, 'savefig', remember)
    return saved


def test_a_curve_per_class_with_objects_and_their_mean(figures, tmp_path):
    precision = np.stack([np.linspace(1, 0.5, 11), np.full(11, -1.0), np.full(11, 0.25)], 1)
    draw_pr_curves(RECALLS, {0.5: precision, 0.75: precision / 2}, ['a', 'none', 'c'], tmp_path / 'pr.png')
    left, right = figures[0].axes
    assert [line.get_label() for line in left.lines] == ['a  75.0', 'c  25.0', 'mean of 2  50.0']
    np.testing.assert_allclose(left.lines[2].get_ydata(), (precision[:, 0] + 0.25) / 2)
    assert (left.get_title(), right.get_title()) == ('IoU 0.5', 'IoU 0.75')
    with Image.open(tmp_path / 'pr.png') as picture:
        assert picture.width > 1000


def test_many_classes_are_grey(figures, tmp_path):
    draw_pr_curves(RECALLS, {0.5: np.full((11, 20), 0.5)}, [str(index) for index in range(20)], tmp_path / 'pr.png')
    lines = figures[0].axes[0].lines
    assert len(lines) == 21 and {line.get_color() for line in lines[:20]} == {'0.75'}
    assert [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()] == ['mean of 20  50.0']


def test_names_with_dollars_are_no_formulas(figures, tmp_path):
    draw_pr_curves(RECALLS, {0.5: np.full((11, 1), 0.5)}, ['$5 or $\\frac'], tmp_path / 'pr.png')
    [line, _] = figures[0].axes[0].lines
    assert line.get_label().replace('\\$', '$') == '$5 or $\\frac  50.0' and (tmp_path / 'pr.png').is_file()


def test_faults_are_named(tmp_path):
    with pytest.raises(ValueError, match='no class has objects'):
        draw_pr_curves(RECALLS, {0.5: np.full((11, 2), -1.0)}, ['a', 'b'], tmp_path / 'pr.png')
    with pytest.raises(ValueError, match=r'shape \(11, 1\), got \(11, 2\)'):
        draw_pr_curves(RECALLS, {0.5: np.ones((11, 2))}, ['a'], tmp_path / 'pr.png')
    assert list(tmp_path.iterdir()) == []


def test_the_page_escapes_names(tmp_path):
    table = ReportTable('Classes', ['class', 'AP'], [['<b>cat</b>', 0.25], ['dog', 3]])
    write_report_page(tmp_path / 'index.html', 'A & B', [table], {'Worst': ['pictures/1.png']})
    page = (tmp_path / 'index.html').read_text()
    assert '&lt;b&gt;cat&lt;/b&gt;' in page and '<td>0.250</td>' in page and '<td>3</td>' in page
    assert '<h1>A &amp; B</h1>' in page and 'src="pictures/1.png"' in page
