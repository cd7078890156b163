"""The sheet of captions."""

import numpy as np
import pytest
from PIL import Image

from florence.visualization import CaptionedImage, draw_caption_sheet
from florence.visualization.canvas import FAINT, RIGHT, WRONG
from florence.visualization.captions import GAP, MARGIN, TEXT_WIDTH, TILE


def picture(value):
    return np.full((30, 40, 3), value, np.uint8)


def test_images_frames_and_texts_lie_where_they_belong(tmp_path):
    shown = [
        CaptionedImage(picture(10), 'a red seven', is_right=True),
        CaptionedImage(picture(90), '', ('a blue two', 'a two'), is_right=False),
        CaptionedImage(picture(200), 'a long caption ' * 30),
    ]
    draw_caption_sheet(shown, tmp_path / 'sheet.png', columns=2)
    sheet = Image.open(tmp_path / 'sheet.png').convert('RGB')
    cell = TILE + GAP + TEXT_WIDTH
    assert sheet.width == 2 * MARGIN + 2 * cell + GAP
    corners = [(MARGIN, MARGIN), (MARGIN + cell + GAP, MARGIN), (MARGIN, MARGIN + TILE + GAP)]
    for (x, y), color, value in zip(corners, (RIGHT, WRONG, FAINT), (10, 90, 200), strict=True):
        assert sheet.getpixel((x, y)) == color
        assert sheet.getpixel((x + TILE // 2, y + TILE // 2)) == (value,) * 3
        text = np.asarray(sheet.crop((x + TILE + GAP, y, x + cell, y + TILE)))
        assert text.min() < 130, 'no text is drawn'
    assert sheet.height > 2 * MARGIN + 2 * TILE + GAP, 'the long caption needs more room than its picture'


def test_more_references_than_fit_are_counted(tmp_path):
    heights = []
    for count in (2, 3, 4, 9):
        draw_caption_sheet([CaptionedImage(picture(0), 'x', ['a long reference caption ' * 8] * count)], tmp_path / 's.png')
        heights.append(Image.open(tmp_path / 's.png').height)
    assert heights[0] < heights[1] < heights[2] == heights[3]


def test_an_empty_sheet_is_refused(tmp_path):
    with pytest.raises(ValueError, match='at least one image'):
        draw_caption_sheet([], tmp_path / 'sheet.png')
