"""RefCOCO's files, made up in REFER's form: grouping, splits, masks of every form, and damaged or dangerous pickles."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from florence.datasets import RefCOCO
from florence.datasets.mask_polygons import polygons_of_segmentation
from florence.datasets.transforms import AskTask, DrawTasks
from florence.evaluation.task_answers.places import rasterized

SQUARE = [[10, 20, 40, 20, 40, 50, 10, 50]]


def reference(number, image, split, *texts):
    sentences = [dict(sent_id=10 * number + place, sent=text, raw=text, tokens=text.split()) for place, text in enumerate(texts)]
    return dict(
        ref_id=number, ann_id=number, image_id=image, category_id=1, split=split, sentences=sentences,
        sent_ids=[sentence['sent_id'] for sentence in sentences], file_name=f'COCO_train2014_{image:012d}_{number}.jpg',
    )  # fmt: skip


def segmentation_of(pixels, compressed):
    if compressed:
        code = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
        return dict(code, counts=code['counts'].decode())
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], pixels.T.ravel(), [2]]))))
    return dict(counts=([] if not pixels[0, 0] else [0]) + runs.tolist(), size=list(pixels.shape))


BLOB = np.zeros((60, 80), np.uint8)
BLOB[5:30, 10:20] = BLOB[40:55, 30:70] = 1


@pytest.fixture
def folder(tmp_path):
    """Two images, three objects: one of a polygon, one of run lengths, one without a mask."""
    (tmp_path / 'refcoco').mkdir()
    references = [
        reference(1, 7, 'train', 'the left dog', 'dog on left'),
        reference(2, 7, 'train', 'right one', '  '),
        reference(3, 8, 'testA', 'a man'),
    ]
    # As Python 2 wrote the published files.
    (tmp_path / 'refcoco' / 'refs(unc).p').write_bytes(pickle.dumps(references, protocol=0))
    (tmp_path / 'refcoco' / 'refs(unc).json').write_text(json.dumps(references))
    annotations = [
        dict(id=1, image_id=7, bbox=[10, 20, 30, 30], segmentation=SQUARE, iscrowd=0, category_id=1),
        dict(id=2, image_id=7, bbox=[10, 5, 60, 50], segmentation=segmentation_of(BLOB, True), iscrowd=1, category_id=1),
        dict(id=3, image_id=8, bbox=[0, 0, 5, 5], segmentation=[[0, 0, 5, 5]], iscrowd=0, category_id=1),
    ]
    images = [dict(id=number, file_name=f'{number}.jpg', width=80, height=60) for number in (7, 8)]
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='dog')])
    (tmp_path / 'refcoco' / 'instances.json').write_text(json.dumps(content))
    for number in (7, 8):
        Image.new('RGB', (80, 60)).save(tmp_path / f'{number}.jpg')
    return tmp_path


def read(folder, split, name='refcoco/refs(unc).p', **arguments):
    return RefCOCO(name, data_root=str(folder), split=split, **arguments)


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.mark.parametrize('name', ['refcoco/refs(unc).p', 'refcoco/refs(unc).json'])
def test_one_sample_a_sentence_or_an_image(folder, name, log_lines):
    found = infos(read(folder, 'train', name))
    assert [info['sample_id'] for info in found] == ['10', '11', '20']
    assert found[0]['img_path'] == str(folder / '7.jpg')
    (triplet,) = found[1]['record']['triplets']
    assert triplet == dict(text='dog on left', phrase='dog on left', boxes=[[10, 20, 40, 50]], polygons=[SQUARE])
    assert any('1 expressions are blank: left out' in line for line in log_lines)
    (whole,) = infos(read(folder, 'train', name, per='image'))
    assert whole['sample_id'] == '7.jpg'
    assert whole['record']['triplets'] == [info['record']['triplets'][0] for info in found]


def test_both_tasks_ask_for_the_whole_expression(folder):
    pipeline = [dict(type='florence.LoadImage')]
    sample = read(folder, 'train', pipeline=pipeline)[0]
    asked = AskTask('<CAPTION_TO_PHRASE_GROUNDING>').transform(dict(sample))
    assert asked['prompt'] == ('Locate the phrases in the caption: the left dog',)
    assert asked['truth'] == ({'labels': ['the left dog'], 'boxes': [[10, 20, 40, 50]]},)
    asked = AskTask('<REFERRING_EXPRESSION_SEGMENTATION>').transform(dict(sample))
    assert asked['prompt'] == ('Locate the left dog in the image with mask',)
    assert asked['truth'][0]['polygons'] == [SQUARE]
    drawn = DrawTasks({'<REFERRING_EXPRESSION_SEGMENTATION>': 1}, num_tasks=9)
    assert len(drawn.transform(read(folder, 'train', per='image', pipeline=pipeline)[0])['target']) == 3


def test_an_object_without_a_mask_is_asked_for_by_its_box_alone(folder, log_lines):
    (info,) = infos(read(folder, 'testA'))
    assert info['record']['triplets'] == [dict(text='a man', phrase='a man', boxes=[[0, 0, 5, 5]])]
    assert any('1 expressions have no mask' in line for line in log_lines)


@pytest.mark.parametrize('compressed', [True, False])
def test_run_lengths_become_polygons_of_the_same_pixels(compressed):
    code = segmentation_of(BLOB, compressed)
    for segmentation in (code, [code]):
        polygons = polygons_of_segmentation(segmentation)
        assert len(polygons) == 2
        np.testing.assert_array_equal(rasterized([polygons], (80, 60)), BLOB.astype(bool))


@pytest.mark.parametrize('segmentation', ['x', [3], {'size': [2, 2]}, [{'counts': 'x'}]])
def test_other_segmentations_are_refused(segmentation):
    with pytest.raises(ValueError, match='must be a list of polygons|need counts and size'):
        polygons_of_segmentation(segmentation)


class Dangerous:
    def __reduce__(self):
        return print, ('this ran',)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (pickle.dumps([Dangerous()]), r'it names builtins.print, which is not loaded'),
        (pickle.dumps({'a': 1}), 'must hold a list of references, it holds dict'),
        (pickle.dumps([1, 2])[:-3], 'is no pickled list of references'),
        (b'PK\x03\x04', 'is no pickled list of references'),
        (b'', 'is no pickled list of references'),
    ],
)
def test_pickles_run_nothing_and_damage_is_told(folder, content, message, capsys):
    (folder / 'refcoco' / 'refs(unc).p').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(folder, 'train')
    assert 'this ran' not in capsys.readouterr().out


def test_mistakes_get_a_sentence(folder):
    with pytest.raises(KeyError, match=r"has no split 'test', found testA, train"):
        read(folder, 'test')
    with pytest.raises(ValueError, match="per must be 'sentence' or 'image', got 'object'"):
        read(folder, 'train', per='object')
    with pytest.raises(FileNotFoundError, match='no objects at .*other.json'):
        read(folder, 'train', instances_file='refcoco/other.json')
    (folder / 'refcoco' / 'instances.json').write_text(json.dumps(dict(images=[], annotations=[])))
    with pytest.raises(KeyError, match='reference 1 is of an object or image that .*instances.json does not have'):
        read(folder, 'train')
    (folder / 'refcoco' / 'refs(unc).p').write_bytes(pickle.dumps([dict(ref_id=1)]))
    with pytest.raises(KeyError, match="a reference has no field 'ann_id'"):
        read(folder, 'train')
