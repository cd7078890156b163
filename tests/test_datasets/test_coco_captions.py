"""COCO captions: real images and sentences, Karpathy's split, and faults."""

import json

import pytest
from conftest import REPO_ROOT
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from florence.datasets import CocoCaptions
from florence.registry import DATASETS

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


def test_images_of_a_test_server_have_no_captions(options, tmp_path, test_data):
    """Captions are written for them (`CaptionScores(format_only=True)`), none are known."""
    images = json.loads((test_data / 'coco_mini' / 'annotations' / 'captions_val2017.json').read_text())['images'][:3]
    (tmp_path / 'image_info.json').write_text(json.dumps(dict(images=images)))
    options = {**options, 'ann_file': str(tmp_path / 'image_info.json')}
    dataset = CocoCaptions(**options, pipeline=EVAL_PIPELINE, test_mode=True)
    samples = [dataset[index]['data_samples'] for index in range(len(dataset))]
    assert [sample.image_id for sample in samples] == [image['id'] for image in images]
    assert not any('captions' in sample or 'text' in sample for sample in samples)
    with pytest.raises(KeyError, match="no field 'annotations'"):
        CocoCaptions(**options)


@pytest.mark.parametrize('recipe', ['coco_captions_384', 'coco_retrieval_384', 'meter_pretraining_14m'])
def test_recipes_find_coco_as_it_is_published(recipe, tmp_path, monkeypatch):
    images = {year: [f'COCO_{year}_{number}.jpg' for number in (1, 2, 3)] for year in ('train2014', 'val2014')}
    splits = dict(zip(images['train2014'] + images['val2014'], ['train'] * 3 + ['restval', 'val', 'test'], strict=True))
    root = tmp_path / 'data' / 'coco'
    (root / 'annotations').mkdir(parents=True)
    for year, files in images.items():
        (root / year).mkdir()
        for name in files:
            Image.new('RGB', (8, 8)).save(root / year / name)
        annotation = dict(
            images=[dict(id=number, file_name=name) for number, name in enumerate(files)],
            annotations=[dict(id=10 + number, image_id=number, caption='a dog') for number in range(3)],
        )
        (root / 'annotations' / f'captions_{year}.json').write_text(json.dumps(annotation))
    split_file = dict(images=[dict(filename=name, split=split) for name, split in splits.items()])
    (root / 'annotations' / 'dataset_coco.json').write_text(json.dumps(split_file))
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(REPO_ROOT / f'configs/_base_/datasets/{recipe}.py')
    train = cfg.train_dataloader.dataset
    train = [dataset for dataset in train.get('datasets', [train]) if dataset.type == 'CocoCaptions']
    with DefaultScope.overwrite_default_scope('florence'):
        sizes = [len(DATASETS.build(dataset)) for dataset in train]
        evaluated = DATASETS.build(cfg.test_dataloader.dataset)
    assert sizes == ([3] if recipe == 'coco_retrieval_384' else [3, 1]) and len(evaluated) == 1
    assert evaluated[0]['inputs'].shape == (3, 384, 384)
