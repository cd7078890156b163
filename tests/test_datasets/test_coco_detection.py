"""The COCO reader: equal to mmdet's on clean data, labels by name, every fault counted, samples through mmdet's pipeline."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from coco_files import CATEGORIES, box, image, write_set
from mmdet.datasets import CocoDataset
from PIL import Image

from florence.datasets import BadSample, CocoDetection
from florence.datasets.bad_samples import TooManyBadSamples
from florence.loading import make_resumable
from florence.registry import DATASETS

PIPELINE = [
    dict(type='mmdet.LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.Resize', scale=(80, 60), keep_ratio=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor', 'checked_labels')),
]


def read(path, **options):
    return CocoDetection(str(path), img_prefix=str(path.parent), **options)


def labelled(dataset, index=0):
    return [(item['bbox'], item['bbox_label']) for item in dataset.get_data_info(index)['instances']]


@pytest.mark.parametrize(
    ('root', 'ann', 'folder'),
    [('det_bccd', 'instances_coco.json', 'images'), ('coco_mini', 'annotations/instances_train2017.json', 'train2017')],
)
def test_equal_to_mmdet_on_real_data(test_data, root, ann, folder):
    root = test_data / root
    ours = CocoDetection(ann, data_root=root, img_prefix=folder)
    classes = dict(classes=ours.metainfo['classes'])
    theirs = CocoDataset(ann_file=ann, data_root=str(root), data_prefix=dict(img=folder), metainfo=classes)
    assert len(ours) == len(theirs)
    for index in range(len(ours)):
        one, other = ours.get_data_info(index), theirs.get_data_info(index)
        for key in ('img_path', 'img_id', 'height', 'width', 'seg_map_path', 'sample_idx'):
            assert one[key] == other[key]
        assert len(one['instances']) == len(other['instances'])
        for a, b in zip(one['instances'], other['instances']):
            np.testing.assert_array_equal(np.float32(a['bbox']), np.float32(b['bbox']))
            assert {k: v for k, v in a.items() if k != 'bbox'} == {k: v for k, v in b.items() if k != 'bbox'}
    assert ours.dirt == ({'boxes shorter than one pixel within their image left out': 2} if folder == 'images' else {})


def test_labels_follow_the_ids_or_the_names_asked_for(tmp_path):
    path = write_set(tmp_path, [image(1)], [box(1, 1, 7, [1, 2, 10, 10]), box(2, 1, 3, [5, 5, 10, 10])])
    by_id = read(path)
    assert by_id.metainfo['classes'] == ('cat', 'dog')
    assert labelled(by_id) == [([1, 2, 11, 12], 1), ([5, 5, 15, 15], 0)]
    assert read(path, classes=['dog', 'cat']).get_cat_ids(0) == [0, 1]
    assert labelled(read(path, classes=['dog'])) == [([1, 2, 11, 12], 0)]
    assert read(path, metainfo=dict(classes=('dog', 'cat'))).metainfo['classes'] == ('dog', 'cat')
    with pytest.raises(ValueError, match=r"has no category 'bird' \(1 of 2 classes are not in it\); it has 'cat', 'dog'"):
        read(path, classes=['dog', 'bird'])
    with pytest.raises(ValueError, match="names 'dog' twice"):
        read(path, classes=['dog', 'dog'])


def test_the_placeholder_of_roboflow_is_no_class(tmp_path):
    categories = [
        {'id': 0, 'name': 'animals', 'supercategory': 'none'},
        {'id': 1, 'name': 'dog', 'supercategory': 'animals'},
        {'id': 2, 'name': 'cat', 'supercategory': 'animals'},
        {'id': 5, 'name': 'dog', 'supercategory': 'animals'},
    ]
    dataset = read(write_set(tmp_path, [image(1)], [box(1, 1, 5, [0, 0, 5, 5]), box(2, 1, 1, [0, 0, 6, 6])], categories))
    assert dataset.metainfo['classes'] == ('dog', 'cat') and dataset.get_cat_ids(0) == [0, 0]
    assert dataset.dirt == {
        'categories that only name the set (Roboflow) left out': 1,
        'categories of the same name taken as one class': 1,
    }


DIRTY = [
    box(1, 1, 7, [30, 20, 20, 20]),  # beyond the border
    box(2, 1, 7, [5, 5, 0, 9]),  # without area
    box(3, 1, 7, [50, 5, 9, 9]),  # outside
    box(4, 99, 7, [5, 5, 9, 9]),  # of no image
    box(5, 1, 99, [5, 5, 9, 9]),  # of no category
    box(6, 1, 7, [5, 5, 9]),
    box(7, 1, 7, [5, 5, float('nan'), 4]),
    box(8, 2, 3, [5, 5, 9, 9]),
    box(8, 2, 3, [5, 5, 9, 9]),  # the same again
    box(8, 2, 3, [6, 6, 9, 9]),  # another one with its id
    box(9, 2, 3, [1, 1, 5, 5], ignore=1),
    box(10, 2, 3, [1, 1, 5, 6], iscrowd=1),
]
COUNTS = {
    'annotations of an image that the file does not list left out': 1,
    'annotations of a category that the file does not list left out': 1,
    'annotations that repeat an earlier one left out': 1,
    'annotations with the id of another one kept': 1,
    'images with the id of an earlier one left out': 1,
    'images without a file left out': 1,
    'images without a size, read from their files': 1,
    'boxes that are no four finite numbers left out': 2,
    'boxes clipped to their image': 1,
    'boxes shorter than one pixel within their image left out': 2,
}


@pytest.fixture
def dirty(tmp_path):
    sizeless = {'id': 2, 'file_name': '2.png'}
    path = write_set(tmp_path, [image(1), sizeless, image(1, file_name='again.png'), image(4)], DIRTY)
    (tmp_path / '4.png').unlink()
    return path


def test_every_fault_is_mended_counted_and_said_once(dirty, log_lines):
    dataset = read(dirty)
    assert dataset.dirt == COUNTS
    assert labelled(dataset) == [([30, 20, 40, 30], 1)]
    assert labelled(dataset, 1) == [([5, 5, 14, 14], 0), ([6, 6, 15, 15], 0), ([1, 1, 6, 6], 0), ([1, 1, 6, 7], 0)]
    assert [item['ignore_flag'] for item in dataset.get_data_info(1)['instances']] == [0, 0, 1, 1]
    assert (dataset.get_data_info(1)['width'], dataset.get_data_info(1)['height']) == (40, 30)
    said = [line for line in log_lines if 'the first' in line]
    assert len(said) == len(COUNTS) and any('1 boxes clipped to their image, the first: [30.0, 20.0' in line for line in said)


@pytest.mark.parametrize('test_mode', [False, True])
def test_a_file_none_of_whose_boxes_is_left_is_refused(tmp_path, test_mode):
    unlisted = write_set(tmp_path, [image(1)], [box(1, 1, 103, [1, 2, 10, 10])])
    with pytest.raises(ValueError, match='no box is left of those in the file: 1 annotations of a category that the file does'):
        read(unlisted, test_mode=test_mode)
    other = write_set(tmp_path, [image(1)], [box(1, 1, 7, [1, 2, 10, 10])])
    with pytest.raises(ValueError, match=r"1 boxes of other classes than 'cat'\. Check"):
        read(other, classes=['cat'], test_mode=test_mode)
    for entry in (image(1), {'id': 1, 'file_name': '1.png'}):  # without a size it is a fault, but not of boxes
        unlabelled = read(write_set(tmp_path, [entry], []), test_mode=test_mode)
        assert len(unlabelled) == 1, 'images without annotations are a set, too'


def test_another_format_of_boxes_is_suspected(tmp_path, log_lines):
    corners = [box(number, 1, 7, [20, 15, 38, 28]) for number in range(1, 4)]
    read(write_set(tmp_path, [image(1)], corners))
    assert any('100% of the boxes reach beyond their image. Are they x1, y1, x2, y2?' in line for line in log_lines)


def test_faults_can_be_refused(dirty):
    with pytest.raises(ValueError, match=r'has faults: 1 annotations of an image .* set on_dirt=.repair'):
        read(dirty, on_dirt='error')
    with pytest.raises(ValueError, match='on_dirt must be'):
        read(dirty, on_dirt='ignore')


def test_evaluation_keeps_what_the_metric_counts(tmp_path):
    path = write_set(tmp_path, [image(1), image(2)], DIRTY[:3] + DIRTY[-2:])
    dataset = read(path, test_mode=True)
    assert labelled(dataset) == [([30, 20, 50, 40], 1), ([5, 5, 5, 14], 1), ([50, 5, 59, 14], 1)]
    assert dataset.dirt == {'boxes without area kept, the metric counts them': 1}
    assert [item['ignore_flag'] for item in dataset.get_data_info(1)['instances']] == [0, 1]
    (tmp_path / '2.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of its 2 images are missing, e.g. .*2.png'):
        read(path, test_mode=True)
    with pytest.raises(ValueError, match='test_mode evaluates every image'):
        read(path, test_mode=True, filter_empty=True)


def test_wrong_files_get_one_sentence(tmp_path):
    path = write_set(tmp_path, [image(1)], [box(1, 1, 7, [1, 1, 5, 5])])
    whole = json.loads(path.read_text())
    for change, message in (
        (dict(categories=[]), 'lists no categories'),
        (dict(images=[]), 'lists no images'),
        (dict(annotations=[{'image_id': 1, 'category_id': 7, 'caption': 'a dog'}]), 'annotation 1 has no bbox'),
        (dict(images=[{'id': 1}]), 'neither file_name nor coco_url'),
        (dict(images=[image(1), image('b')]), 'all numbers or all texts'),
        (dict(categories=[CATEGORIES[0], CATEGORIES[0]]), 'category id 7 is given to several'),
        (dict(categories=[{'id': 'x', 'name': 'dog'}]), 'numeric id and a name'),
        (dict(images=[image('a')]), "numbered by .*'a'"),
        (dict(images=[image(1) | dict(width='wide')]), 'width and height of image 1 must be numbers'),
        (dict(images=[image(1) | dict(file_name=5)]), "entry of 'images' has not COCO's form"),
        (dict(images=[image(10**30)]), "entry of 'images' has not COCO's form"),
        (dict(images=[image(1, neg_category_ids=None)]), "list of numbers, found 'None'"),
        (dict(annotations=[box(1, 1, 7, [1, 1, 5, 5], score='high')]), "score must be a number, not 'high'"),
        (dict(categories=[{'id': 10**30, 'name': 'dog'}]), 'categories, sources or lists of category ids'),
        (dict(sources=[{'category_ids': [7]}]), 'every entry of sources needs a name'),
        (dict(sources=['coco']), 'every entry of sources needs a name, found coco'),
    ):
        (tmp_path / 'wrong.json').write_text(json.dumps(whole | change))
        with pytest.raises(ValueError, match=message):
            read(tmp_path / 'wrong.json')
    for options, message in (
        (dict(classes='dog'), "at least one name, or None .* got 'dog'"),
        (dict(classes=[]), 'at least one name'),
        (dict(indices=[0, 1]), 'indices reach from 0 to 1, .* has 1 samples'),
        (dict(negative_weights={'': 5.0}), r'lie in \[0, 1\]'),
    ):
        with pytest.raises(ValueError, match=message):
            read(path, **options)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(ValueError, match='cut short'):
        read(path)
    with pytest.raises(FileNotFoundError, match='no annotation file'):
        read(tmp_path / 'none.json')
    (tmp_path / 'ann.json').write_text(json.dumps(whole))
    with pytest.raises(FileNotFoundError, match='no image folder'):
        CocoDetection('ann.json', data_root=tmp_path, img_prefix='nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='none of its 1 images lies in'):
        CocoDetection('ann.json', data_root=tmp_path, img_prefix='empty')


def test_choice_of_images(tmp_path):
    images = [image(number) for number in range(1, 7)] + [image(9, width=200, height=8)]
    annotations = [box(number, number, 7 if number % 2 else 3, [1, 1, 9, 9]) for number in range(1, 6)]
    path = write_set(tmp_path, images, annotations)

    def ids(**options):
        dataset = read(path, **options)
        return [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]

    assert ids() == [1, 2, 3, 4, 5, 6, 9]
    assert ids(filter_empty=True) == [1, 2, 3, 4, 5]
    assert ids(filter_empty=True, classes=['cat']) == [2, 4]
    assert ids(min_size=16) == [1, 2, 3, 4, 5, 6]
    assert ids(indices=2) == [1, 2] and ids(indices=[3, 0]) == [4, 1]
    few = ids(shots=1, seed=3)
    assert len(few) == 2 and few[0] % 2 != few[1] % 2 and few == ids(shots=1, seed=3)
    assert len({tuple(ids(shots=1, seed=seed)) for seed in range(12)}) > 1
    assert ids(shots=2) == [number for number in ids(shots=2) if number <= 5] and len(ids(shots=2)) == 4
    assert ids(shots=50) == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match='none of its 7 images is left'):
        read(path, min_size=5000)
    with pytest.raises(ValueError, match='shots must be'):
        read(path, shots=0)


def test_lvis_says_what_was_looked_for(tmp_path):
    categories = [{'id': number, 'name': f'c{number}', 'synonyms': [f's{number}']} for number in (1, 2, 3, 4)]
    images = [
        {**image(1, neg_category_ids=[3], not_exhaustive_category_ids=[2]), 'coco_url': 'http://x/train2017/1.png'},
        image(2, neg_category_ids=[], not_exhaustive_category_ids=[]),
    ]
    del images[0]['file_name']
    write_set(tmp_path, [image(2), image(1, file_name='train2017/1.png')], [])
    path = tmp_path / 'lvis.json'
    annotations = [box(1, 1, 1, [1, 1, 5, 5]), box(2, 1, 2, [1, 1, 5, 5])]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    dataset = read(path)
    assert dataset.get_data_info(0)['img_path'].endswith('train2017/1.png')
    assert dataset.get_data_info(0)['checked_labels'].tolist() == [0, 2]
    assert dataset.get_data_info(1)['checked_labels'].tolist() == []
    renamed = read(path, classes=['c3', 'c1'])
    assert renamed.get_data_info(0)['checked_labels'].tolist() == [0, 1]


def test_sources_scores_and_weights(tmp_path):
    sources = [dict(name='coco', category_ids=[3, 7]), dict(name='pseudo', category_ids=[], federated=True)]
    images = [image(1, source='coco'), image(2, source='pseudo'), image(3, source='coco', checked_category_ids=[7])]
    annotations = [
        box(1, 1, 7, [1, 1, 5, 5]), box(2, 2, 7, [1, 1, 5, 5], score=0.9), box(3, 2, 7, [1, 1, 9, 5], score=0.5),
        box(4, 2, 3, [1, 1, 9, 9]),
    ]  # fmt: skip
    dataset = read(write_set(tmp_path, images, annotations, sources=sources), negative_weights=dict(pseudo=0.25))
    infos = [dataset.get_data_info(index) for index in range(3)]
    assert [info['checked_labels'].tolist() for info in infos] == [[0, 1], [], [1]]
    assert [info['negative_weight'] for info in infos] == [1, 0.25, 1]
    assert infos[1]['label_scores'] == {0: 1.0, 1: pytest.approx(0.7)}
    assert [item.get('score') for item in infos[1]['instances']] == [pytest.approx(0.9), 0.5, None]
    with pytest.raises(ValueError, match="names source 'lvis'"):
        read(tmp_path / 'ann.json', negative_weights=dict(lvis=0.5))


def test_samples_through_mmdet_s_pipeline(tmp_path):
    annotations = [box(1, 1, 7, [4, 4, 10, 10]), box(2, 1, 7, [0, 0, 5, 5], iscrowd=1)]
    path = write_set(tmp_path, [image(1, neg_category_ids=[3])], annotations)
    dataset = DATASETS.build(dict(type='CocoDetection', ann_file=str(path), img_prefix=str(tmp_path), pipeline=PIPELINE))
    sample = dataset[0]['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[8, 8, 28, 28]] and sample.gt_instances.labels.tolist() == [1]
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[0, 0, 10, 10]]
    assert sample.metainfo['checked_labels'].tolist() == [0, 1] and sample.metainfo['img_shape'] == (60, 80)
    again = pickle.loads(pickle.dumps(dataset))
    assert again[0]['data_samples'].gt_instances.labels.tolist() == [1]
    subset = read(write_set(tmp_path, [image(1), image(2)], annotations)).get_subset([1])
    assert len(subset) == 1 and subset.get_data_info(0)['img_id'] == 2


@pytest.mark.parametrize('fault', ['garbage', 'empty', 'cut'])
def test_a_broken_image_is_replaced_in_training_and_named_in_evaluation(tmp_path, fault, log_lines):
    path = write_set(tmp_path, [image(1), image(2)], [box(1, 1, 7, [4, 4, 9, 9]), box(2, 2, 3, [4, 4, 9, 9])])
    Image.fromarray(np.random.randint(0, 255, (30, 40, 3), np.uint8)).save(tmp_path / 'whole.jpg')
    data = (tmp_path / 'whole.jpg').read_bytes()
    (tmp_path / '1.png').write_bytes({'garbage': b'no image', 'empty': b'', 'cut': data[: len(data) // 2]}[fault])
    dataset = read(path, pipeline=PIPELINE, max_bad_share=0.6)
    assert dataset[0]['data_samples'].img_id == 2 and dataset.guard.num_bad == 1
    assert any('Bad sample left out' in line and '1.png' in line for line in log_lines)
    with pytest.raises(BadSample, match='1.png'):
        read(path, pipeline=PIPELINE, test_mode=True)[0]


class NothingLeftOf:
    """A step like mmdet's crops and filters, which return None for what they leave nothing of."""

    def __init__(self, *names):
        self.names = names

    def __call__(self, results):
        return None if Path(results['img_path']).name in self.names else results


def test_another_sample_is_drawn_in_training_where_the_pipeline_leaves_nothing(tmp_path):
    path = write_set(tmp_path, [image(1), image(2)], [box(1, 1, 7, [4, 4, 9, 9]), box(2, 2, 3, [4, 4, 9, 9])])
    dataset = read(path, pipeline=[NothingLeftOf('1.png'), *PIPELINE])
    assert dataset[0]['data_samples'].img_id == dataset[-1]['data_samples'].img_id == 2
    assert dataset.guard.num_bad == 0  # it is no fault of the data
    with pytest.raises(ValueError, match='leaves nothing of .*1.png .*in evaluation each sample counts'):
        read(path, pipeline=[NothingLeftOf('1.png')], test_mode=True)[0]
    with pytest.raises(TooManyBadSamples, match='1000 samples in a row cannot be used.* look at its crops and filters'):
        read(path, pipeline=[NothingLeftOf('1.png', '2.png')])[0]


def test_a_mistake_in_the_pipeline_is_no_bad_sample(tmp_path):
    path = write_set(tmp_path, [image(1)], [])
    with pytest.raises(AttributeError, match='nonsense'):
        read(path, pipeline=[lambda results: results.nonsense])[0]


def test_under_mmdet_s_batch_sampler_and_wrappers(tmp_path):
    from mmengine.runner import Runner

    images = [image(number, **({} if number % 2 else dict(width=20))) for number in range(1, 9)]
    path = write_set(tmp_path, images, [box(number, number, 7, [1, 1, 9, 9]) for number in range(1, 9)])
    dataset = dict(type='florence.CocoDetection', ann_file=str(path), img_prefix=str(tmp_path), pipeline=PIPELINE)
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(type='ConcatDataset', datasets=[dataset, dict(type='RepeatDataset', times=2, dataset=dataset)]),
            batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'), collate_fn=dict(type='pseudo_collate'),
        ),
        seed=0,
    )  # fmt: skip
    numbers = [[sample.img_id for sample in batch['data_samples']] for batch in loader]
    assert sorted(sum(numbers, [])) == sorted(3 * list(range(1, 9)))
    assert all(len({number % 2 for number in batch}) == 1 for batch in numbers)
    resumable = make_resumable(loader, seed=0)
    assert resumable.dataset.metainfo['classes'] == ('cat', 'dog')
    for batch in resumable:
        assert len({sample.img_id % 2 for sample in batch['data_samples']}) == 1
