"""COCO captions: real images and sentences, Karpathy's split, and faults."""

import json

import pytest

from florence.datasets import CocoCaptions

EVAL_PIPELINE = [
    dict(type='florence.LoadImage'),
    dict(type='florence.ResizeCenterCrop', size=32),
    dict(type='florence.PackImageText'),
]


@pytest.fixture
def options(test_data) -> dict:
    return dict(
        ann_file='annotations/captions_val2017.json',
        data_root=str(test_data / 'coco_mini'),
        data_prefix=dict(img_path='val2017'),
    )


def test_real_images_with_all_their_captions(options, test_data):
    dataset = CocoCaptions(**options, pipeline=EVAL_PIPELINE, test_mode=True)
    annotation = json.loads((test_data / 'coco_mini' / 'annotations' / 'captions_val2017.json').read_text())
    assert len(dataset) == 79
    texts = {}
    for index in range(79):
        info = dataset.get_data_info(index)
        texts |= dict(zip(info['caption_ids'], info['captions'], strict=True))
    assert texts == {entry['id']: entry['caption'].strip() for entry in annotation['annotations']}
    sample = dataset[0]['data_samples']
    assert sample.image_id == annotation['images'][0]['id'] and len(sample.captions) == 5


def test_training_draws_one_caption(options, train_pipeline):
    dataset = CocoCaptions(**options, pipeline=train_pipeline)
    captions = dataset.get_data_info(0)['captions']
    drawn = {dataset[0]['data_samples'].text for _ in range(40)}
    assert drawn == set(captions)


def test_karpathy_split_selects_images(options, tmp_path, test_data):
    names = sorted(path.name for path in (test_data / 'coco_mini' / 'val2017').iterdir())
    splits = ['test'] * 10 + ['val'] * 5 + ['train'] * (len(names) - 15)
    images = [dict(filename=name, split=split) for name, split in zip(names, splits, strict=True)]
    (tmp_path / 'dataset_coco.json').write_text(json.dumps(dict(images=images)))
    karpathy_file = str(tmp_path / 'dataset_coco.json')
    test = CocoCaptions(**options, karpathy_file=karpathy_file, split='test', max_captions=2)
    assert sorted(test.get_data_info(i)['sample_id'] for i in range(len(test))) == names[:10]
    assert all(len(test.get_data_info(i)['captions']) == 2 for i in range(10))
    assert len(CocoCaptions(**options, karpathy_file=karpathy_file, split=('test', 'val'))) == 15
    with pytest.raises(KeyError, match='no split restval; found test, train, val'):
        CocoCaptions(**options, karpathy_file=karpathy_file, split='restval')
    with pytest.raises(FileNotFoundError, match='no split file'):
        CocoCaptions(**options, karpathy_file=str(tmp_path / 'gone.json'), split='test')
    with pytest.raises(ValueError, match='together'):
        CocoCaptions(**options, split='test')


def test_wrong_annotation_files_are_refused(tmp_path, test_data, options):
    with pytest.raises(KeyError, match='no field "caption"'):
        CocoCaptions(**{**options, 'ann_file': 'annotations/instances_val2017.json'})
    (tmp_path / 'a.json').write_text('{"images": []}')
    with pytest.raises(KeyError, match="no field 'annotations', found images"):
        CocoCaptions('a.json', data_root=str(tmp_path))
    (tmp_path / 'a.json').write_text('{"images": [')
    with pytest.raises(ValueError, match='not valid JSON'):
        CocoCaptions('a.json', data_root=str(tmp_path))


def test_image_without_caption_is_named_when_read(tmp_path):
    annotation = dict(images=[dict(id=1, file_name='a.jpg')], annotations=[])
    (tmp_path / 'a.json').write_text(json.dumps(annotation))
    dataset = CocoCaptions('a.json', data_root=str(tmp_path), test_mode=True)
    with pytest.raises(ValueError, match=r'sample a\.jpg has no caption'):
        dataset[0]
