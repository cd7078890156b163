"""Flickr30k: both published caption files, the known broken row, and Karpathy's split."""

import json

import pytest

from florence.datasets import Flickr30k
from florence.datasets.flickr30k import read_flickr30k_captions

TOKEN = (
    '1000092795.jpg#0\tTwo young guys with shaggy hair look at their hands .\n'
    '1000092795.jpg#1\tTwo young , White males are outside near many bushes .\n'
    '36979.jpg#0\tA group of friends playing cards | chips .\n'
)
CSV = (
    'image_name| comment_number| comment\n'
    '1000092795.jpg| 0| Two young guys with shaggy hair look at their hands .\n'
    '1000092795.jpg| 1| Two young , White males are outside near many bushes .\n'
    '36979.jpg| 0| A group of friends playing cards | chips .\n'
)


@pytest.mark.parametrize('content', [TOKEN, CSV])
def test_both_files_give_the_same_samples(tmp_path, content):
    (tmp_path / 'captions').write_text(content)
    dataset = Flickr30k('captions', data_root=str(tmp_path), test_mode=True)
    assert len(dataset) == 2
    info = dataset.get_data_info(0)
    assert info['captions'] == (
        'Two young guys with shaggy hair look at their hands .',
        'Two young , White males are outside near many bushes .',
    )
    assert info['caption_ids'] == ('1000092795.jpg#0', '1000092795.jpg#1')
    assert dataset.get_data_info(1)['captions'] == ('A group of friends playing cards | chips .',)


def test_row_without_its_second_bar_is_read(tmp_path):
    (tmp_path / 'results.csv').write_text('2199200615.jpg| 4   A dog runs across the grass .\n')
    assert list(read_flickr30k_captions(str(tmp_path / 'results.csv'))) == [
        ('2199200615.jpg', 4, 'A dog runs across the grass .')
    ]


def test_line_of_another_form_is_named(tmp_path):
    (tmp_path / 'captions').write_text(TOKEN + 'just a sentence\n')
    with pytest.raises(ValueError, match="line 4 is neither .*'just a sentence'"):
        Flickr30k('captions', data_root=str(tmp_path))


def test_split_selects_images_and_missing_ones_are_an_error(tmp_path):
    (tmp_path / 'captions').write_text(TOKEN)
    images = [dict(filename='1000092795.jpg', split='train'), dict(filename='36979.jpg', split='test')]
    (tmp_path / 'split.json').write_text(json.dumps(dict(images=images)))
    options = dict(data_root=str(tmp_path), karpathy_file=str(tmp_path / 'split.json'))
    dataset = Flickr30k('captions', split='test', **options)
    assert [dataset.get_data_info(i)['sample_id'] for i in range(len(dataset))] == ['36979.jpg']
    images.append(dict(filename='7.jpg', split='test'))
    (tmp_path / 'split.json').write_text(json.dumps(dict(images=images)))
    with pytest.raises(ValueError, match=r'no captions for 1 images, e\.g\. 7\.jpg'):
        Flickr30k('captions', split='test', **options)
    (tmp_path / 'split.json').write_text('{"pictures": []}')
    with pytest.raises(ValueError, match='not a Karpathy split file'):
        Flickr30k('captions', split='test', **options)


def test_real_photos(tmp_path, test_data, train_pipeline):
    folder = test_data / 'vqa_format_fixtures' / 'images' / 'flickr30k'
    photos = sorted(path.name for path in folder.glob('*.jpg') if path.stat().st_size > 0)
    (tmp_path / 'captions').write_text(''.join(f'{name}#{n}\tsentence {n} of {name}\n' for name in photos for n in range(5)))
    dataset = Flickr30k(
        str(tmp_path / 'captions'),
        data_prefix=dict(img_path=str(folder)),
        pipeline=train_pipeline,
        max_captions=3,
        max_bad_share=0.0,
    )
    assert {dataset[i]['data_samples'].sample_id for i in range(len(dataset))} == set(photos)
    assert len(list(dataset.captions())) == 3 * len(photos)
