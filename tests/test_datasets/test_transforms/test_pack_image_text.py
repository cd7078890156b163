"""What reaches the model."""

import numpy as np
import pytest
import torch

from florence.datasets.transforms import PackImageText
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label


def results(**entries) -> dict:
    img = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    return {'sample_id': '7.jpg', 'img': img, **entries}


def test_pixels_are_channels_first_uint8():
    packed = PackImageText()(results())
    assert packed['inputs'].dtype == torch.uint8 and packed['inputs'].is_contiguous()
    np.testing.assert_array_equal(packed['inputs'].permute(1, 2, 0).numpy(), results()['img'])
    assert packed['data_samples'].img_shape == (2, 3)


def test_mirrored_view_can_be_packed():
    mirrored = results()['img'][:, ::-1]
    packed = PackImageText()(results(img=mirrored))
    np.testing.assert_array_equal(packed['inputs'].permute(1, 2, 0).numpy(), mirrored)


def test_training_fields():
    label = text_label('dog')
    sample = PackImageText()(results(text='a photo of dog.', label=label, is_templated=True, img_path='/a/7.jpg'))['data_samples']
    assert isinstance(sample, ImageTextSample)
    assert (sample.text, sample.label, sample.is_templated) == ('a photo of dog.', label, True)
    assert (sample.sample_id, sample.img_path) == ('7.jpg', '/a/7.jpg')
    assert isinstance(sample.label, int), 'a float would lose the lower bits of the hash'


def test_text_without_label_is_unlabelled():
    sample = PackImageText()(results(text='dog'))['data_samples']
    assert (sample.label, sample.is_templated) == (-1, False)


def test_evaluation_fields_are_those_given():
    classes = ('cat', 'dog')
    sample = PackImageText()(results(gt_label=1, classes=classes, templates='simple'))['data_samples']
    assert sample.gt_label == 1 and sample.classes is classes and sample.templates == 'simple'
    assert 'text' not in sample and 'label' not in sample
    retrieval = PackImageText()(results(captions=('a', 'b'), caption_ids=(3, 4), image_id=9))['data_samples']
    assert (retrieval.captions, retrieval.caption_ids, retrieval.image_id) == (('a', 'b'), (3, 4), 9)


@pytest.mark.parametrize('img', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_images_are_refused_by_name(img):
    with pytest.raises(ValueError, match=r'7\.jpg'):
        PackImageText()(results(img=img))
