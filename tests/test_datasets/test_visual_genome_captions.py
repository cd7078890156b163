"""Region descriptions: phrases of an image together, its file in either folder, faults named."""

import json

import pytest

from florence.datasets import CocoCaptions, VisualGenomeCaptions

REGIONS = [
    dict(id=5, regions=[dict(region_id=1, phrase='a red  car '), dict(region_id=2, phrase='tall tree'),
                        dict(region_id=3, phrase='a red car')]),
    dict(id=9, regions=[dict(region_id=4, phrase=''), dict(region_id=5, phrase=None)]),
    dict(id=2, regions=[dict(region_id=6, phrase='blue sky')]),
]  # fmt: skip
IMAGES = [dict(image_id=5, url='https://x.org/VG_100K_2/5.jpg'), dict(image_id=2, url='https://x.org/VG_100K/2.jpg')]


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'region_descriptions.json').write_text(json.dumps(REGIONS))
    (tmp_path / 'image_data.json').write_text(json.dumps(IMAGES))
    return tmp_path


def infos(root, **options):
    dataset = VisualGenomeCaptions('region_descriptions.json', data_root=str(root), test_mode=True, **options)
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def test_phrases_of_an_image_are_its_captions(root):
    first, second = infos(root, image_file='image_data.json')
    assert (first['sample_id'], first['image_id']) == ('VG_100K_2/5.jpg', 5)
    assert first['captions'] == ('a red car', 'tall tree') and first['caption_ids'] == (1, 2)
    assert second['img_path'] == str(root / 'VG_100K/2.jpg') and second['captions'] == ('blue sky',)
    assert [info['sample_id'] for info in infos(root)] == ['5.jpg', '2.jpg']
    assert infos(root, max_captions=1)[0]['captions'] == ('a red car',)


def test_faults_are_named(root):
    (root / 'image_data.json').write_text(json.dumps(IMAGES[:1]))
    with pytest.raises(KeyError, match='has no image 2'):
        infos(root, image_file='image_data.json')
    with pytest.raises(FileNotFoundError, match='no file of images at .*gone.json'):
        infos(root, image_file='gone.json')
    (root / 'region_descriptions.json').write_text(json.dumps([dict(id=1, objects=[])]))
    with pytest.raises(KeyError, match="no field 'regions', found id, objects"):
        infos(root)


def test_sets_are_read_as_one(root, test_data):
    """What the pretraining's config does: sets of different kinds in one, whose texts a tokenizer can learn from."""
    from mmengine.dataset import ConcatDataset

    from florence.engine.hooks.train_tokenizer import captions_of

    coco = CocoCaptions(
        'annotations/captions_val2017.json', data_root=str(test_data / 'coco_mini'), data_prefix=dict(img_path='val2017')
    )
    regions = VisualGenomeCaptions('region_descriptions.json', data_root=str(root))
    joined = ConcatDataset([coco, regions])
    assert len(joined) == len(coco) + 2
    texts = list(captions_of(joined))
    assert texts[-3:] == ['a red car', 'tall tree', 'blue sky'] and len(texts) == 395 + 3
