from dataclasses import replace

import pytest

from florence.tasks.florence2 import task as tasks
from florence.tasks.florence2.task import Florence2Task, get_task, make_prompt, register_task, task_tags

SIZE = (1000, 500)


@pytest.mark.parametrize(
    ('tag', 'prompt_input', 'prompt'),
    [
        ('<CAPTION>', None, 'What does the image describe?'),
        ('<DETAILED_CAPTION>', None, 'Describe in detail what is shown in the image.'),
        ('<MORE_DETAILED_CAPTION>', None, 'Describe with a paragraph what is shown in the image.'),
        ('<OD>', None, 'Locate the objects with category name in the image.'),
        ('<DENSE_REGION_CAPTION>', None, 'Locate the objects in the image, with their descriptions.'),
        ('<REGION_PROPOSAL>', None, 'Locate the region proposals in the image.'),
        ('<OCR>', None, 'What is the text in the image?'),
        ('<OCR_WITH_REGION>', None, 'What is the text in the image, with regions?'),
        ('<CAPTION_TO_PHRASE_GROUNDING>', ' a {input} car ', 'Locate the phrases in the caption: a {input} car'),
        ('<REFERRING_EXPRESSION_SEGMENTATION>', 'a car', 'Locate a car in the image with mask'),
        ('<REGION_TO_SEGMENTATION>', [1, 1, 9, 9], 'What is the polygon mask of region <loc_1><loc_2><loc_9><loc_18>'),
        ('<OPEN_VOCABULARY_DETECTION>', 'wheels', 'Locate wheels in the image.'),
        ('<OPEN_VOCABULARY_DETECTION>', ['car', ' red wheel'], 'Locate car<and>red wheel in the image.'),
        ('<REGION_TO_CATEGORY>', '<loc_1><loc_2><loc_9><loc_999> ', 'What is the region <loc_1><loc_2><loc_9><loc_999>?'),
        ('<REGION_TO_DESCRIPTION>', (0, 0, 1e9, 1), 'What does the region <loc_0><loc_0><loc_999><loc_2> describe?'),
        ('<REGION_TO_OCR>', [0, 0, 5, 5], 'What text is in the region <loc_0><loc_0><loc_5><loc_10>?'),
        ('<VQA>', 'How many?', 'How many?'),
    ],
)
def test_prompts_are_those_of_the_release(tag, prompt_input, prompt):
    assert make_prompt(tag, prompt_input, SIZE) == prompt


def test_there_are_fifteen_tasks_and_vqa():
    assert len(task_tags()) == 16


@pytest.mark.parametrize(
    ('tag', 'prompt_input', 'message'),
    [
        ('OD', None, r"no task 'OD'\. Did you mean '<OD>'\? Known: <CAPTION>, .*<VQA>"),
        ('<OD>', 'a cat', "<OD> takes no input, got 'a cat'; tasks with input: <CAPTION_TO_PHRASE_GROUNDING>, .*<VQA>"),
        ('<VQA>', None, '<VQA> needs a text; tasks without input: <CAPTION>, .*<OCR_WITH_REGION>'),
        ('<VQA>', ' ', "<VQA> needs a text, got ' '"),
        ('<VQA>', ['a', 'b'], '<VQA> needs a text, got'),
        ('<OPEN_VOCABULARY_DETECTION>', ['a', ''], 'needs a class name, or a list of them, got'),
        ('<OPEN_VOCABULARY_DETECTION>', [], 'needs a class name, or a list of them, got'),
        ('<REGION_TO_OCR>', [1, 2, 3], 'needs a region: a box'),
        ('<REGION_TO_OCR>', 7, 'needs a region: a box'),
        ('<REGION_TO_OCR>', [5, 5, 5, 9], 'box of task <REGION_TO_OCR> must be x1, y1, x2, y2 with x1 < x2'),
        ('<REGION_TO_OCR>', [5, 500, 9, 509], 'outside the image of 1000 x 500 pixels'),
        ('<REGION_TO_OCR>', '<loc_1><loc_2><loc_3>', 'its four location tokens, got'),
        (
            '<REGION_TO_OCR>',
            '<loc_1><loc_2><loc_3><loc_1000>',
            '<loc_1000> in the input of task <REGION_TO_OCR> is no location token',
        ),
        ('<VQA>', 'what is <loc_1000>?', '<loc_1000> in the input of task <VQA> is no location token'),
    ],
)
def test_wrong_prompts_are_one_sentence(tag, prompt_input, message):
    with pytest.raises((KeyError, ValueError), match=message):
        make_prompt(tag, prompt_input, SIZE)


def test_a_box_in_pixels_needs_the_size():
    with pytest.raises(ValueError, match='pass image_size'):
        make_prompt('<REGION_TO_OCR>', [1, 2, 3, 4])


def test_a_user_registers_a_task(monkeypatch):
    monkeypatch.setattr(tasks, '_TASKS', dict(tasks._TASKS))
    count = Florence2Task(
        '<COUNT>',
        'How many {input} are there?',
        lambda record, image_size, options, rng: [],
        lambda text, image_size, options: dict(count=int(text)),
        'count_error',
        'names',
    )
    register_task(count)
    register_task(count)
    assert make_prompt('<COUNT>', 'cats') == 'How many cats are there?'
    assert get_task('<COUNT>').parser('3', (1, 1), None) == dict(count=3)
    with pytest.raises(ValueError, match='a task <COUNT> already'):
        register_task(replace(count, prompt='{input}?'))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(tag='OD'), 'written <NAME>'),
        (dict(prompt='What is {input}?'), 'unless it is none'),
        (dict(input_kind='text'), 'unless it is none'),
        (dict(input_kind='sound', prompt='{input}'), 'input_kind is one of none, text, names, region'),
    ],
)
def test_inconsistent_tasks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(get_task('<OD>'), **changes)
