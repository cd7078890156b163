"""Prompts and targets from records: drawn for training, asked in full for evaluation."""

from collections import Counter

import numpy as np
import pytest

from florence.datasets.bad_samples import BadSample
from florence.datasets.transforms import AnnotationsToRecord, AskTask, DrawTasks, ResizePad
from florence.tasks.florence2.quantizer import quantize

RECORD = {
    'image': 'a.png',
    'texts': {'brief': ['a dog', 'one dog'], 'detailed': 'a brown dog on grass'},
    'regions': [
        {'box': [10, 20, 60, 80], 'phrase': 'dog', 'polygons': [[10, 20, 60, 20, 60, 80]]},
        {'box': [0, 0, 5, 5], 'phrase': 'ball'},
    ],
    'questions': [{'question': 'what is there?', 'answer': 'a dog'}],
}


def sample(record=RECORD):
    return {'sample_id': 'a.png', 'img': np.zeros((100, 200, 3), np.uint8), 'record': record}


def test_tasks_are_drawn_by_weight_and_temperature():
    def shares(temperature):
        step = DrawTasks({'<OD>': 9, '<VQA>': 1}, temperature=temperature)
        counts = Counter(step.transform(sample())['task'][0] for _ in range(2000))
        return counts['<OD>'] / 2000

    assert shares(1.0) == pytest.approx(0.9, abs=0.03)
    assert shares(2.0) == pytest.approx(0.75, abs=0.04)


def test_several_tasks_of_an_image_repeat_no_target():
    results = DrawTasks({'<CAPTION>': 1, '<OD>': 1, '<REGION_TO_CATEGORY>': 1}, num_tasks=9).transform(sample())
    assert Counter(results['task']) == {'<CAPTION>': 2, '<OD>': 1, '<REGION_TO_CATEGORY>': 2}
    assert len(set(zip(results['prompt'], results['target'], strict=True))) == 5
    assert len({len(results[key]) for key in ('task', 'prompt', 'target')}) == 1


def test_size_is_that_of_the_file_not_of_a_resized_image():
    step = DrawTasks({'<OD>': 1}, options=dict(order='given'))
    whole = step.transform(sample())['target']
    assert whole == ('dog<loc_50><loc_200><loc_300><loc_800>ball<loc_0><loc_0><loc_25><loc_50>',)
    small = sample() | {'img': np.zeros((10, 10, 3), np.uint8), 'ori_shape': (100, 200)}
    assert step.transform(small)['target'] == whole


def padded(height, width, shape=(100, 200), **more):
    return ResizePad(height, width).transform(sample() | {'img': np.full((*shape, 3), 7, np.uint8), 'ori_shape': shape} | more)


@pytest.mark.parametrize(
    ('height', 'width', 'content', 'canvas'),
    [(50, 50, (25, 50), (200, 200)), (50, 150, (50, 100), (100, 300)), (64, 96, (48, 96), (64 / 0.48, 200))],
)
def test_padding_is_right_and_below_and_places_count_along_it(height, width, content, canvas):
    results = padded(height, width)
    inside = np.zeros((height, width), bool)
    inside[: content[0], : content[1]] = True
    np.testing.assert_array_equal((results['img'] == 7).all(2), inside)
    assert results['canvas_shape'] == pytest.approx(canvas)
    (target,) = DrawTasks({'<REGION_PROPOSAL>': 1}, options=dict(max_regions=1)).transform(results)['target']
    expected = quantize([10, 20, 60, 80], results['canvas_shape'][::-1])
    assert target == ''.join(f'<loc_{number}>' for number in expected)
    # The same place of the network input.
    assert expected[0] / 1000 * width == pytest.approx(10 * content[1] / 200, abs=width / 1000)
    assert expected[3] / 1000 * height == pytest.approx(80 * content[0] / 100, abs=height / 1000)


def test_places_of_a_small_copy_are_those_of_the_file():
    small = padded(50, 50, shape=(10, 20), ori_shape=(100, 200))
    assert small['canvas_shape'] == pytest.approx((200, 200))


def test_padding_after_the_targets_is_refused():
    with pytest.raises(ValueError, match='ResizePad must come before DrawTasks or AskTask'):
        ResizePad(50, 50).transform(DrawTasks({'<OD>': 1}).transform(sample()))


def test_a_task_that_the_record_has_nothing_for_is_not_drawn():
    step = DrawTasks({'<OCR>': 100, '<VQA>': 1})
    assert {step.transform(sample())['task'] for _ in range(20)} == {('<VQA>',)}
    with pytest.raises(BadSample, match=r"'a.png' has no target of <OCR>"):
        DrawTasks({'<OCR>': 1}).transform(sample())


def test_an_evaluation_asks_each_prompt_once_and_keeps_the_truth_as_it_is():
    results = AskTask('<CAPTION>').transform(sample())
    assert results['references'] == (('a dog', 'one dog'),) and results['prompt'] == ('What does the image describe?',)
    results = AskTask('<REGION_TO_CATEGORY>').transform(sample())
    assert results['references'] == (('dog',), ('ball',)) and len(results['prompt']) == 2
    results = AskTask('<OD>', options=dict(order='given', max_regions=1)).transform(sample())
    assert results['truth'] == ({'labels': ['dog', 'ball'], 'boxes': [[10, 20, 60, 80], [0, 0, 5, 5]]},)


def test_malformed_records_are_named():
    record = {'image': 'a.png', 'regions': [{'box': [5, 0, 9, 9], 'phrase': 7}]}
    with pytest.raises(BadSample, match=r"'a.png', task <OD>: phrase of region 0 of a.png must be"):
        DrawTasks({'<OD>': 1}).transform(sample(record))


def test_boxes_that_nobody_can_find_are_not_learned_but_counted():
    record = {'image': 'a.png', 'regions': [{'box': [5, 5, 5, 9], 'phrase': 'x'}, {'box': [300, 5, 310, 9], 'phrase': 'x'}]}
    assert len(AskTask('<OD>').transform(sample(record))['truth'][0]['boxes']) == 2


@pytest.mark.parametrize('arguments', [dict(tasks={}), dict(tasks={'<OD>': 0}), dict(tasks={'<OD>': 1}, temperature=0)])
def test_mistakes_get_a_sentence(arguments):
    with pytest.raises(ValueError, match='must be above 0, got'):
        DrawTasks(**arguments)


def test_unknown_tasks_are_named():
    with pytest.raises(KeyError, match=r"no task '<CAPTIONS>'\. Did you mean '<CAPTION>'\? Known: <CAPTION>"):
        AskTask('<CAPTIONS>')


def test_instances_of_detection_sets_become_records():
    instances = [
        dict(bbox=[0, 0, 5, 5], bbox_label=1, ignore_flag=0, mask=[[0, 0, 5, 0, 5, 5]]),
        dict(bbox=[0, 0, 9, 9], bbox_label=0, ignore_flag=1),
        dict(bbox=[1, 1, 2, 2], bbox_label=0, ignore_flag=0, mask={'counts': b'', 'size': [9, 9]}),
    ]
    results = AnnotationsToRecord().transform({'img_path': 'b.png', 'instances': instances, 'classes': ('cat', 'dog')})
    assert results['record']['regions'] == [
        {'box': [0, 0, 5, 5], 'phrase': 'dog', 'polygons': [[0, 0, 5, 0, 5, 5]]},
        {'box': [1, 1, 2, 2], 'phrase': 'cat'},
    ]
    with pytest.raises(KeyError, match='pass classes='):
        AnnotationsToRecord().transform({'img_path': 'b.png', 'instances': instances})


def test_boxes_follow_the_transforms_of_mmdet():
    from mmdet.datasets.transforms import LoadAnnotations, RandomFlip, Resize

    polygon = [[1.0, 2.0, 11.0, 2.0, 11.0, 22.0]]
    instances = [
        {'bbox': [1, 2, 11, 22], 'bbox_label': 1, 'ignore_flag': 0, 'mask': polygon},
        {'bbox': [0, 0, 5, 5], 'bbox_label': 0, 'ignore_flag': 1, 'mask': polygon},
    ]
    results = {'img_path': 'b.png', 'img': np.zeros((30, 40, 3), np.uint8), 'instances': instances, 'classes': ('cat', 'dog')}
    results.update(img_shape=(30, 40), height=30, width=40, ori_shape=(30, 40))
    load = LoadAnnotations(with_bbox=True, with_mask=True, poly2mask=False)
    for transform in (load, Resize(scale=(80, 60)), RandomFlip(prob=1.0), AnnotationsToRecord()):
        results = transform(results)
    (region,) = results['record']['regions']  # what is to be ignored is not asked about
    assert region == {'box': [58, 4, 78, 44], 'phrase': 'dog', 'polygons': [[78, 4, 58, 4, 58, 44]]}
    assert results['ori_shape'] == (60, 80)  # what the boxes now belong to


def test_captions_and_questions_become_records():
    results = AnnotationsToRecord().transform({'img_path': 'b.png', 'captions': ('a dog', 'a cat')})
    assert results['record'] == {'image': 'b.png', 'texts': {'brief': ['a dog', 'a cat']}}
    results = AnnotationsToRecord(caption_kind='detailed').transform({'img_path': 'b.png', 'text': 'a dog'})
    assert results['record']['texts'] == {'detailed': ['a dog']}
    asked = {'img_path': 'b.png', 'text': 'what is it?', 'answers': ('dog', 'dog', 'cat'), 'img': np.zeros((4, 4, 3), np.uint8)}
    results = AskTask('<VQA>').transform(AnnotationsToRecord().transform(asked))
    assert results['prompt'] == ('what is it?',) and results['references'] == (('dog', 'dog', 'cat'),)
    with pytest.raises(KeyError, match='needs instances, captions or text, b.png has img_path'):
        AnnotationsToRecord().transform({'img_path': 'b.png'})
    with pytest.raises(ValueError, match="one of brief, detailed, more_detailed, got 'short'"):
        AnnotationsToRecord(caption_kind='short')
