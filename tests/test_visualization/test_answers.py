"""Sheets of answers: what was asked, what was answered, and where."""

import numpy as np
import pytest
from PIL import Image

from florence.visualization import AnsweredImage, draw_answer_sheet
from florence.visualization.answers import draw_regions

GREY = np.full((40, 80, 3), 128, np.uint8)
BOX = [[8, 8, 40, 8, 40, 24, 8, 24]]


def test_regions_lie_where_the_answer_says():
    drawn = np.asarray(draw_regions(AnsweredImage(GREY, '<OD>', '', [BOX], ['']), 320)).astype(int)
    rows, columns = np.nonzero(np.ptp(drawn, axis=2) > 30)  # the only colours are those of regions
    assert drawn.shape == (160, 320, 3)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((32, 96, 32, 160), abs=2)
    assert np.ptp(drawn[64, 96]) == 0, 'a box is an outline'
    filled = np.asarray(draw_regions(AnsweredImage(GREY, '<OD>', '', [BOX], [''], filled=True), 320)).astype(int)
    assert np.ptp(filled[64, 96]) > 30


def height(tmp_path, *answered):
    draw_answer_sheet(answered, tmp_path / 'sheet.png')
    with Image.open(tmp_path / 'sheet.png') as sheet:
        return sheet.height


def test_a_row_holds_name_task_and_answer(tmp_path):
    words = ' '.join(['word'] * 60)
    without, with_name = (height(tmp_path, AnsweredImage(GREY, '<CAPTION>', words, name=name)) for name in ('', 'a.png'))
    assert with_name > without
    assert height(tmp_path, *[AnsweredImage(GREY, '<OD>', '')] * 3) > 2.5 * 160
    with pytest.raises(ValueError, match='at least one answer'):
        draw_answer_sheet([], tmp_path / 'sheet.png')
