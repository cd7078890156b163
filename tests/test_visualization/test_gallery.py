"""Retrieval gallery and classification sheet: what is where, in which colour."""

import numpy as np
import pytest
import torch
from PIL import Image

from florence.visualization import (
    ClassifiedImage,
    FoundImage,
    FoundText,
    ImageQuery,
    TextQuery,
    draw_classification_sheet,
    draw_retrieval_gallery,
    search_images,
    search_texts,
)
from florence.visualization.canvas import BORDER, RIGHT, WRONG, font, tile, wrap
from florence.visualization.classification_sheet import BARS_WIDTH
from florence.visualization.gallery import GAP, MARGIN, QUERY_WIDTH, TILE

BLUE = np.full((8, 8, 3), (10, 20, 250), np.uint8)


def share(pixels, color):
    """Pixels of exactly this colour."""
    return int((pixels == color).all(-1).sum())


def test_text_query_row(tmp_path):
    found = [FoundImage(BLUE, 0.9, True), FoundImage(BLUE, 0.8, False)]
    draw_retrieval_gallery([TextQuery('a blue square', found)], tmp_path / 'gallery.png')
    pixels = np.array(Image.open(tmp_path / 'gallery.png'))
    top = MARGIN + 40  # below the heading
    frame_area = TILE**2 - (TILE - 2 * BORDER) ** 2
    for index, (color, other) in enumerate([(RIGHT, WRONG), (WRONG, RIGHT)]):
        left = MARGIN + QUERY_WIDTH + index * (TILE + GAP)
        cell = pixels[top : top + TILE, left : left + TILE]
        assert share(cell, color) == frame_area and share(cell, other) == 0
        assert share(cell, (10, 20, 250)) == (TILE - 2 * BORDER) ** 2
    third = pixels[top:, MARGIN + QUERY_WIDTH + 2 * (TILE + GAP) :]
    assert (third == 255).all()


def test_image_query_row(tmp_path):
    draw_retrieval_gallery([ImageQuery(BLUE, [FoundText('right', 0.9, True)])], tmp_path / 'right.png')
    draw_retrieval_gallery([ImageQuery(BLUE, [FoundText('wrong', 0.9, False)])], tmp_path / 'wrong.png')
    right, wrong = (np.array(Image.open(tmp_path / f'{name}.png')) for name in ('right', 'wrong'))
    assert share(right, RIGHT) > 0 and share(right, WRONG) == 0
    assert share(wrong, WRONG) > 0 and share(wrong, RIGHT) == 0


def test_long_text_makes_the_row_higher(tmp_path):
    sizes = []
    for repeats in (1, 60):
        query = TextQuery('many words ' * repeats, [FoundImage(BLUE, 0.5, True)])
        draw_retrieval_gallery([query], tmp_path / 'gallery.png')
        sizes.append(Image.open(tmp_path / 'gallery.png').size)
    assert sizes[0][0] == sizes[1][0] and sizes[1][1] > sizes[0][1] + TILE


def test_gallery_mistakes(tmp_path):
    with pytest.raises(ValueError, match='at least one query'):
        draw_retrieval_gallery([], tmp_path / 'gallery.png')
    with pytest.raises(ValueError, match='a row holds 5 images, a query has 6'):
        draw_retrieval_gallery([TextQuery('x', [FoundImage(BLUE, 0.5, True)] * 6)], tmp_path / 'gallery.png')
    with pytest.raises(ValueError, match='uint8 image'):
        draw_retrieval_gallery([ImageQuery(BLUE[..., 0], [])], tmp_path / 'gallery.png')
    assert not list(tmp_path.iterdir())


def test_wrap_keeps_every_letter_and_the_width():
    face = font(15)
    text = 'a large red seven above ' + 'unbreakable' * 20 + ' end'
    lines = wrap(text, face, 150)
    assert ''.join(lines).replace(' ', '') == text.replace(' ', '')
    assert max(map(face.getlength, lines)) <= 150
    assert wrap('two words', face, 1000) == ['two words']
    assert wrap('', face, 100) == ['']


@pytest.mark.parametrize('shape', [(10, 40), (40, 10), (500, 1000)])
def test_tile_keeps_the_proportions(shape):
    pixels = np.array(tile(np.zeros((*shape, 3), np.uint8), 128))
    rows, columns = np.nonzero((pixels == 0).all(-1))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(height, width) == 128 - 2 * BORDER
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.04)


def test_search():
    images = [np.full((2, 2, 3), value, np.uint8) for value in range(3)]
    embeds = torch.eye(3)
    captions = [('one', 'same'), ('two',), ('same',)]
    query = search_images('same', torch.tensor([0.6, 0.0, 0.8]), images, embeds, captions, num_results=5)
    assert [(found.image[0, 0, 0], round(found.score, 4), found.is_right) for found in query.found] == [
        (2, 0.8, True), (0, 0.6, True), (1, 0.0, False)
    ]  # fmt: skip
    texts = ['one', 'same', 'two', 'same']
    text_embeds = torch.stack([embeds[1], embeds[0], embeds[2], embeds[0]])
    found = search_texts(images[0], torch.tensor([0.8, 0.6, 0.0]), captions[0], texts, text_embeds, num_results=2).found
    assert [(text.text, round(text.score, 4), text.is_right) for text in found] == [('same', 0.8, True), ('one', 0.6, True)]


@pytest.mark.parametrize(
    ('truth', 'right_bar', 'wrong_bar'), [('cat', 0.75, 0), ('dog', 0.25, 0.75), ('cow', 0, 0.75), (None, 0, 0)]
)
def test_classification_bars(tmp_path, truth, right_bar, wrong_bar):
    prediction = ClassifiedImage(BLUE, ('cat', 'dog'), (0.75, 0.25), truth)
    draw_classification_sheet([prediction], tmp_path / 'sheet.png')
    pixels = np.array(Image.open(tmp_path / 'sheet.png'))[:, MARGIN + 130 :]
    widest = {color: int((pixels == color).all(-1).sum(1).max()) for color in (RIGHT, WRONG)}
    if truth == 'cow':
        assert 0 < widest[RIGHT] < 60  # letters of "true: cow" only
    else:
        assert widest[RIGHT] == round(right_bar * BARS_WIDTH)
    assert widest[WRONG] == round(wrong_bar * BARS_WIDTH)


def test_a_question_stands_above_image_and_bars(tmp_path):
    sizes, bars = [], []
    for text in (None, 'what is it?', 'what is it? ' * 20):
        draw_classification_sheet([ClassifiedImage(BLUE, ('cat', 'dog'), (0.75, 0.25), 'cat', text)], tmp_path / 'sheet.png')
        pixels = np.array(Image.open(tmp_path / 'sheet.png'))
        sizes.append(pixels.shape)
        bars.append(int((pixels == RIGHT).all(-1)[:, MARGIN + 130 :].sum(1).max()))
        image_top = np.argwhere((pixels == (10, 20, 250)).all(-1))[0, 0]
        assert image_top == MARGIN + BORDER + pixels.shape[0] - sizes[0][0]  # all of the new height lies above
    assert sizes[0][1] == sizes[1][1] == sizes[2][1] and sizes[0][0] < sizes[1][0] < sizes[2][0]
    assert bars == [round(0.75 * BARS_WIDTH)] * 3


def test_sheet_has_as_many_cells_as_predictions(tmp_path):
    prediction = ClassifiedImage(BLUE, ('cat',), (1.0,), 'cat')
    draw_classification_sheet([prediction] * 5, tmp_path / 'sheet.png', columns=2)
    pixels = np.array(Image.open(tmp_path / 'sheet.png'))
    assert share(pixels, (10, 20, 250)) == 5 * (TILE - 2 * BORDER) ** 2
    with pytest.raises(ValueError, match='at least one prediction'):
        draw_classification_sheet([], tmp_path / 'sheet.png')
    with pytest.raises(ValueError, match='1 classes and 2 probabilities'):
        draw_classification_sheet([ClassifiedImage(BLUE, ('cat',), (0.5, 0.5))], tmp_path / 'sheet.png')
