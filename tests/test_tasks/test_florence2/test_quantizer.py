import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.tasks.florence2.quantizer import dequantize, location_bins, location_text, quantize
from florence.tasks.florence2.tokens import ADDED_TOKENS, NUM_BINS

SIZES = st.one_of(st.integers(1, 10000), st.floats(0.01, 1e5))
ALL_BINS = [number for number in range(NUM_BINS) for _ in 'xy']


@settings(max_examples=100, deadline=None)
@given(width=SIZES, height=SIZES)
def test_every_bin_survives_a_round_trip_at_every_size(width, height):
    assert quantize(dequantize(ALL_BINS, (width, height)), (width, height)) == ALL_BINS


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_whole_pixels_are_those_of_float32(width, height):
    size = torch.tensor([width / NUM_BINS, height / NUM_BINS], dtype=torch.float32)
    expected = ((torch.tensor(ALL_BINS).view(-1, 2) + 0.5) * size).int().flatten().tolist()
    assert dequantize(ALL_BINS, (width, height), integers=True) == expected


@pytest.mark.parametrize(('size', 'moved'), [(640, 640), (480, 720), (500, 500), (1300, 300), (1000, 0), (4000, 0)])
def test_whole_pixels_move_most_bins_of_small_images(size, moved):
    pixels = dequantize(ALL_BINS, (size, size), integers=True)
    again = quantize(pixels, (size, size))
    assert sum(a != b for a, b in zip(again[::2], ALL_BINS[::2], strict=True)) == moved


@pytest.mark.parametrize('coordinates', [(30.5, 40), (500, 550, 600, 690), (1, 1, 9, 1, 9, 9, 1, 9), (0, 0, 5, 5, 0, 9.9)])
def test_axes_are_quantized_by_their_own_size(coordinates):
    bins = quantize(coordinates, (800, 1200))
    assert bins == [int(value / (1.2 if i % 2 else 0.8)) for i, value in enumerate(coordinates)]
    assert location_bins(location_text(coordinates, (800, 1200))) == bins


def test_coordinates_outside_go_to_the_nearest_bin():
    assert quantize([-5, 100, 100.0, 1e308], (100, 50)) == [0, 999, 999, 999]
    assert location_text([0, 99.99], (100, 100)) == '<loc_0><loc_999>'


@pytest.mark.parametrize(
    ('coordinates', 'size', 'message'),
    [
        ([1, 2, 3], (9, 9), 'finite pairs'),
        ([1, float('nan')], (9, 9), 'finite pairs'),
        ([1, 2], (0, 9), r'both above 0, got \(0, 9\)'),
        ([1, 2], (9,), 'width, height'),
    ],
)
def test_wrong_input_is_named(coordinates, size, message):
    with pytest.raises(ValueError, match=message):
        quantize(coordinates, size)


@pytest.mark.parametrize('text', ['<loc_1000>', '<loc_07>', '<loc_-1>', '<loc_1', 'loc_1>', '<loc_\u0663>'])
def test_only_tokens_are_locations(text):
    assert location_bins(f'a{text}<loc_12>') == [12]


def test_added_tokens_are_in_the_order_of_the_release():
    offsets = {'<od>': 0, '</ocr>': 3, '<loc_0>': 4, '<loc_999>': 1003, '<cap>': 1004, '<seg>': 1012, '<sep>': 1014}
    offsets |= {'<region_cap>': 1015, '<region_to_desciption>': 1017, '</proposal>': 1020, '<poly>': 1021, '<and>': 1023}
    assert {token: ADDED_TOKENS.index(token) for token in offsets} == offsets
    assert len(set(ADDED_TOKENS)) == len(ADDED_TOKENS) == 1024
