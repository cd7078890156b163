"""Boxes on pictures: what is where, in which colour."""

import numpy as np
import pytest
from PIL import Image

from florence.visualization import BoxSet, DetectionPanel, class_colors, draw_boxes, draw_detection_sheet
from florence.visualization.detections import GAP, MARGIN, SMALLEST

GREY = np.full((400, 600, 3), 128, np.uint8)


def share(pixels, color):
    """Pixels of exactly this colour."""
    return int((pixels == color).all(-1).sum())


def test_a_box_is_framed_in_the_colour_of_its_class_and_labelled():
    found = BoxSet([[100, 200, 300, 350]], ['cat'], [0.87])
    pixels = draw_boxes(GREY, found)
    assert pixels.shape == GREY.shape and (GREY == 128).all()
    frame = class_colors(['cat'])['cat']
    assert (pixels[200:202, 100:300] == frame).all() and (pixels[200:350, 298:300] == frame).all()
    assert (pixels[204:346, 104:296] == 128).all(), 'the object is not covered'
    label = pixels[180:200, 100:160]
    assert share(label, frame) > 300 and share(label, (0, 0, 0)) + share(label, (255, 255, 255)) > 10
    assert (pixels[:180] == 128).all() and (pixels[352:] == 128).all()


def test_a_label_without_room_above_lies_inside():
    pixels = draw_boxes(GREY, BoxSet([[560, 0, 600, 90]], ['a rather long name']))
    assert share(pixels[:20], class_colors(['a rather long name'])['a rather long name']) > 800 and (pixels[95:] == 128).all()


def test_a_class_has_its_colour_whatever_is_in_the_picture():
    classes = ['dog', 'cat', 'cow']
    colors = class_colors(classes)
    for names in (['cat'], ['cow', 'cat']):
        pixels = draw_boxes(GREY, BoxSet([[100, 200, 300, 350]] * len(names), names), classes=classes)
        assert share(pixels, colors['cat']) > 500 and share(pixels, colors['dog']) == 0
    unknown = draw_boxes(GREY, BoxSet([[100, 200, 300, 350]], ['bird']), classes=classes)
    assert not any(share(unknown, color) for color in colors.values()), 'a name outside of the list gets a colour of its own'


@pytest.mark.parametrize(('place', 'text'), [(1, 255), (2, 0)])
def test_labels_can_be_read_on_blue_and_on_bright_green(place, text):
    classes = ['red', 'blue', 'green']
    label = draw_boxes(GREY, BoxSet([[100, 200, 300, 350]], [classes[place]]), classes=classes)[180:199]
    assert share(label, (text,) * 3) > 0 and share(label, (255 - text,) * 3) == 0


def test_small_pictures_are_magnified_with_their_boxes():
    pixels = draw_boxes(np.zeros((10, 20, 3), np.uint8), BoxSet([[5, 5, 10, 10]], ['x']))
    assert pixels.shape == (SMALLEST // 2, SMALLEST, 3)
    assert (pixels[80:160, 80:82] == class_colors(['x'])['x']).all() and (pixels[100:150, 90:150] == 0).all()
    assert draw_boxes(np.zeros((1, 1, 3), np.uint8), BoxSet([], [])).shape == (SMALLEST, SMALLEST, 3)


def test_the_best_box_is_drawn_last():
    boxes = [[100, 100, 200, 200]] * 2
    for scores, top in (([0.9, 0.1], 'cat'), ([0.1, 0.9], 'dog')):
        pixels = draw_boxes(GREY, BoxSet(boxes, ['cat', 'dog'], scores))
        assert (pixels[150, 100] == class_colors(['cat', 'dog'])[top]).all()


def test_odd_boxes_do_not_stop_the_drawing():
    boxes = [[-50, -50, 9999, 9999], [10, 10, 10, 10], [40, 40, 30, 30]]
    pixels = draw_boxes(GREY, BoxSet(boxes, ['a', 'b', 'c'], [0.5, 0.5, 0.5]))
    assert pixels.shape == np.asarray(GREY).shape
    assert not (pixels == np.asarray(GREY)).all()


def test_the_sheet_has_truth_and_predictions_side_by_side(tmp_path):
    truth, predicted = BoxSet([[100, 100, 300, 300]], ['cat']), BoxSet([[120, 90, 310, 300]], ['dog'], [0.4])
    draw_detection_sheet(
        [DetectionPanel(GREY, predicted, truth, 'image 1'), DetectionPanel(GREY, predicted)], tmp_path / 's.png', size=480
    )
    pixels = np.array(Image.open(tmp_path / 's.png'))
    assert pixels.shape[1] == 2 * MARGIN + 2 * 480 + GAP
    colors = class_colors(['cat', 'dog'])
    first = pixels[: pixels.shape[0] // 2]
    left, right = first[:, : MARGIN + 480], first[:, MARGIN + 480 :]
    assert share(left, colors['cat']) > 500 and share(left, colors['dog']) == 0
    assert share(right, colors['dog']) > 500 and share(right, colors['cat']) == 0
    second = pixels[pixels.shape[0] // 2 :]
    assert share(second, colors['dog']) > 500 and share(second, colors['cat']) == 0


def test_mistakes():
    with pytest.raises(ValueError, match='needs a name, and a score'):
        BoxSet([[0, 0, 1, 1]], ['a', 'b'])
    with pytest.raises(ValueError, match='at least one picture'):
        draw_detection_sheet([], 'x.png')
    with pytest.raises(ValueError, match='expected an'):
        draw_boxes(np.zeros((4, 4), np.uint8), BoxSet([], []))
    with pytest.raises(ValueError, match='expected an'):
        draw_boxes(np.zeros((0, 4, 3), np.uint8), BoxSet([], []))
