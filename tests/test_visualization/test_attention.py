"""Pictures of attention: where they glow, and what a sheet holds."""

import numpy as np
import pytest
from PIL import Image

from florence.visualization import AttendedImage, draw_attention_sheet
from florence.visualization.attention import FULL, GLOW, heat_picture

GREY = np.full((8, 8, 3), 100, np.uint8)


def glow_of(picture):
    """How far each pixel is on the way from dark grey to the glow's red, which grey alone never reaches."""
    return (picture[..., 0].astype(float) - 60) / (0.35 * 60 + 0.65 * GLOW[0] - 60)


def test_it_glows_in_proportion_to_the_heat():
    heat = np.zeros((8, 8))
    heat[2, 3], heat[5, 5] = 8.0, 4.0
    glow = glow_of(heat_picture(GREY, heat))
    assert glow[2, 3] == pytest.approx(1, abs=0.02) and glow[5, 5] == pytest.approx(0.5, abs=0.02)
    assert np.count_nonzero(np.abs(glow) > 0.02) == 2


def test_even_attention_does_not_glow_full():
    assert glow_of(heat_picture(GREY, np.ones((8, 8)))) == pytest.approx(1 / FULL, abs=0.02)
    assert (heat_picture(GREY, np.zeros((8, 8))) == 60).all()


def test_a_sheet_grows_with_words_and_layers(tmp_path):
    sizes = {}
    for layers, words in ((2, 1), (2, 4), (6, 4)):
        attended = AttendedImage(GREY, 'a question?', ['word'] * words, np.ones((layers, words, 8, 8)))
        draw_attention_sheet(attended, tmp_path / 'sheet.png')
        sizes[layers, words] = Image.open(tmp_path / 'sheet.png').size
    assert sizes[2, 1][0] == sizes[2, 4][0] < sizes[6, 4][0]
    assert sizes[2, 4][1] - sizes[2, 1][1] >= 3 * 128 and sizes[6, 4][1] == sizes[2, 4][1]


def test_each_word_of_each_layer_has_its_tile(tmp_path):
    heat = np.zeros((2, 3, 8, 8))
    heat[1, 2] = 9.0  # the lower right tile only
    draw_attention_sheet(AttendedImage(GREY, 'a question?', ['a', 'b', 'c'], heat), tmp_path / 'sheet.png')
    pixels = np.asarray(Image.open(tmp_path / 'sheet.png').convert('RGB')).astype(int)
    glowing = np.argwhere((pixels[..., 0] - pixels[..., 2]) > 80)
    middle = glowing.mean(0) / pixels.shape[:2]
    assert len(glowing) == pytest.approx(120 * 120, rel=0.05) and (middle > 0.7).all()


def test_what_does_not_fit_is_refused(tmp_path):
    for words, shape in ((['a'], (1, 2, 8, 8)), (['a'], (1, 1, 8, 9)), ([], (1, 0, 8, 8))):
        with pytest.raises(ValueError, match='expected a heat of'):
            draw_attention_sheet(AttendedImage(GREY, 'text', words, np.ones(shape)), tmp_path / 'sheet.png')
    assert not list(tmp_path.iterdir())
