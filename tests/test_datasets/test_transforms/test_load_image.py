"""Decoding: every colour mode, EXIF rotation, and faults that name the file."""

import io

import numpy as np
import pytest
from PIL import Image

from florence.datasets.bad_samples import BadSample
from florence.datasets.transforms import LoadImage


def load(image: Image.Image, image_format: str = 'PNG', **save_options) -> np.ndarray:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **save_options)
    results = LoadImage()({'sample_id': 'x', 'img_bytes': buffer.getvalue()})
    assert 'img_bytes' not in results
    return results['img']


def test_path_and_bytes_give_the_same_pixels(test_data):
    path = next((test_data / 'cls_cifar10' / 'test' / 'cat').iterdir())
    from_path = LoadImage()({'sample_id': 'x', 'img_path': str(path)})
    from_bytes = LoadImage()({'sample_id': 'x', 'img_bytes': path.read_bytes()})
    assert from_path['img'].dtype == np.uint8 and from_path['img'].shape == (32, 32, 3)
    assert from_path['ori_shape'] == (32, 32)
    np.testing.assert_array_equal(from_path['img'], from_bytes['img'])
    np.testing.assert_array_equal(from_path['img'], np.asarray(Image.open(path).convert('RGB')))


def test_exif_rotation_is_applied():
    """Orientation 6: the camera was turned, the file's left edge is the top of the scene's right side."""
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, :, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    img = load(Image.fromarray(pixels), exif=exif)
    assert img.shape == (8, 4, 3)
    np.testing.assert_array_equal(img, np.rot90(pixels, k=-1))


def test_transparent_pixels_lie_on_white():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (200, 10, 30, 255)
    rgba[1, 1] = (0, 0, 0, 128)
    img = load(Image.fromarray(rgba, 'RGBA'))
    assert img[0, 0].tolist() == [200, 10, 30]
    assert img[0, 1].tolist() == [255, 255, 255]
    assert img[1, 1].tolist() == [127, 127, 127]


def test_palette_with_a_transparent_colour():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), 'P')
    image.putpalette([9, 8, 7, 40, 50, 60])
    assert load(image)[0].tolist() == [[9, 8, 7], [40, 50, 60]]
    assert load(image, transparency=0)[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_grey_grey_alpha_and_16_bit_grey():
    grey = np.array([[0, 100, 255]], np.uint8)
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(load(Image.fromarray(grey, 'L')), expected)
    np.testing.assert_array_equal(load(Image.fromarray(grey, 'L').convert('LA')), expected)
    np.testing.assert_array_equal(load(Image.fromarray(grey.astype(np.uint16) * 257)), expected)


def test_cmyk_jpeg_becomes_rgb():
    rgb = Image.fromarray(np.full((16, 16, 3), (200, 100, 50), np.uint8))
    img = load(rgb.convert('CMYK'), 'JPEG', quality=95)
    assert img.shape == (16, 16, 3)
    np.testing.assert_allclose(img[8, 8], (200, 100, 50), atol=6)


def test_32_bit_pixels_are_refused_with_a_reason():
    with pytest.raises(BadSample, match='32-bit'):
        load(Image.fromarray(np.ones((4, 4), np.float32)), 'TIFF')


@pytest.mark.parametrize('keep', [0, 10, 0.5, 0.95])
def test_cut_file_is_named(tmp_path, keep):
    path = tmp_path / 'cut.jpg'
    noise = np.random.randint(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(ValueError, match='cut.jpg'):
        LoadImage()({'sample_id': 'x', 'img_path': str(path)})


def test_text_file_is_named(tmp_path):
    path = tmp_path / 'page.jpg'
    path.write_text('<html>404</html>')
    with pytest.raises(BadSample, match=r'page\.jpg'):
        LoadImage()({'sample_id': 'x', 'img_path': str(path)})


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadSample, match=r'cannot open image .*gone\.jpg: No such file'):
        LoadImage()({'sample_id': 'x', 'img_path': str(tmp_path / 'gone.jpg')})


def test_broken_bytes_are_named_by_sample():
    with pytest.raises(BadSample, match='shard-0/000123'):
        LoadImage()({'sample_id': 'shard-0/000123', 'img_bytes': b'\x89PNG\r\n\x1a\n and then nothing'})


def test_min_size():
    buffer = io.BytesIO()
    Image.new('RGB', (64, 31)).save(buffer, 'PNG')
    assert LoadImage(min_size=31)({'sample_id': 'x', 'img_bytes': buffer.getvalue()})['ori_shape'] == (31, 64)
    with pytest.raises(BadSample, match='64 x 31 pixels, shorter than min_size 32'):
        LoadImage(min_size=32)({'sample_id': 'x', 'img_bytes': buffer.getvalue()})
