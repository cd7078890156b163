"""The tasks of Florence-2 (arXiv 2311.06242, table 13), those of a user besides: prompt, targets, parser and metric in one place.

A task tag such as `<OD>` names a task and never reaches the model, which reads the prompt. Prompts are those of the release. Its
VQA prompt is not published: `<VQA>` is the bare question.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from florence.tasks.florence2 import parsers, targets
from florence.tasks.florence2.prompts import NEEDS, InputKind, PromptInput, input_text
from florence.user_errors import did_you_mean

Parser = Callable[[str, tuple[float, float], parsers.ParserOptions], dict]


@dataclass(frozen=True)
class Florence2Task:
    """One task.

    Attributes:
        tag: Its name, `<NAME>`.
        prompt: What the model reads; `{input}` stands for the input.
        targets: Writes the targets of a record.
        parser: Reads an answer.
        metric: What its answers are measured by: 'caption', 'text', 'detection', 'proposals', 'grounding', 'masks', 'ocr', 'vqa',
            or a name of the user's.
        input_kind: What the task is asked about, see `prompts.InputKind`.

    Raises:
        ValueError: If the tag has no angle brackets, or the prompt and `input_kind` do not agree on an input.
    """

    tag: str
    prompt: str
    targets: targets.TargetFormatter
    parser: Parser
    metric: str
    input_kind: InputKind = 'none'

    def __post_init__(self) -> None:
        if not (self.tag.startswith('<') and self.tag.endswith('>') and len(self.tag) > 2):
            raise ValueError(f'the tag of a task is written <NAME>, got {self.tag!r}')
        if self.input_kind not in ('none', *NEEDS) or (self.input_kind == 'none') == ('{input}' in self.prompt):
            raise ValueError(
                f'task {self.tag}: input_kind is one of none, {", ".join(NEEDS)}, and the prompt holds {{input}} unless it is '
                f'none; got {self.input_kind!r} and {self.prompt!r}'
            )


_TEXT, _BOXES, _POLYGONS = parsers.parse_text, parsers.parse_boxes, parsers.parse_polygons
_RELEASED = (
    Florence2Task('<CAPTION>', 'What does the image describe?', partial(targets.caption_targets, kind='brief'), _TEXT, 'caption'),
    Florence2Task(
        '<DETAILED_CAPTION>', 'Describe in detail what is shown in the image.',
        partial(targets.caption_targets, kind='detailed'), _TEXT, 'caption',
    ),
    Florence2Task(
        '<MORE_DETAILED_CAPTION>', 'Describe with a paragraph what is shown in the image.',
        partial(targets.caption_targets, kind='more_detailed'), _TEXT, 'caption',
    ),
    Florence2Task(
        '<OD>', 'Locate the objects with category name in the image.',
        partial(targets.detection_targets, field='phrase'), _BOXES, 'detection',
    ),
    Florence2Task(
        '<DENSE_REGION_CAPTION>', 'Locate the objects in the image, with their descriptions.',
        partial(targets.detection_targets, field='brief'), _BOXES, 'detection',
    ),
    Florence2Task(
        '<REGION_PROPOSAL>', 'Locate the region proposals in the image.',
        partial(targets.detection_targets, field=None), parsers.parse_proposals, 'proposals',
    ),
    Florence2Task('<OCR>', 'What is the text in the image?', targets.ocr_targets, _TEXT, 'text'),
    Florence2Task(
        '<OCR_WITH_REGION>', 'What is the text in the image, with regions?',
        targets.ocr_region_targets, parsers.parse_quads, 'ocr',
    ),
    Florence2Task(
        '<CAPTION_TO_PHRASE_GROUNDING>', 'Locate the phrases in the caption: {input}',
        targets.grounding_targets, parsers.parse_grounding, 'grounding', 'text',
    ),
    Florence2Task(
        '<REFERRING_EXPRESSION_SEGMENTATION>', 'Locate {input} in the image with mask',
        targets.referring_targets, _POLYGONS, 'masks', 'text',
    ),
    Florence2Task(
        '<REGION_TO_SEGMENTATION>', 'What is the polygon mask of region {input}',
        targets.region_mask_targets, _POLYGONS, 'masks', 'region',
    ),
    Florence2Task(
        '<OPEN_VOCABULARY_DETECTION>', 'Locate {input} in the image.',
        targets.open_vocabulary_targets, parsers.parse_boxes_or_polygons, 'detection', 'names',
    ),
    Florence2Task(
        '<REGION_TO_CATEGORY>', 'What is the region {input}?',
        partial(targets.region_text_targets, field='phrase'), _TEXT, 'text', 'region',
    ),
    Florence2Task(
        '<REGION_TO_DESCRIPTION>', 'What does the region {input} describe?',
        partial(targets.region_text_targets, field='brief'), _TEXT, 'caption', 'region',
    ),
    Florence2Task(
        '<REGION_TO_OCR>', 'What text is in the region {input}?',
        partial(targets.region_text_targets, field='text'), _TEXT, 'text', 'region',
    ),
    Florence2Task('<VQA>', '{input}', targets.question_targets, _TEXT, 'vqa', 'text'),
)  # fmt: skip
_TASKS = {task.tag: task for task in _RELEASED}


def register_task(task: Florence2Task) -> None:
    """Make a task known by its tag.

    Raises:
        ValueError: If there is another task with that tag.
    """
    if _TASKS.setdefault(task.tag, task) != task:
        raise ValueError(f'there is a task {task.tag} already: take another tag; taken: {", ".join(_TASKS)}')


def get_task(tag: str) -> Florence2Task:
    """The task of a tag.

    Raises:
        KeyError: If there is none.
    """
    if tag not in _TASKS:
        hint = did_you_mean(f'<{tag.strip("<>").upper()}>', _TASKS)
        raise KeyError(f'no task {tag!r}.{hint} Known: {", ".join(_TASKS)}')
    return _TASKS[tag]


def task_tags() -> list[str]:
    """Tags of all tasks."""
    return list(_TASKS)


def require_input(tag: str, prompt_input: PromptInput) -> Florence2Task:
    """The task of a tag, whose prompt has an input if it takes one; whether the input is right depends on the image, too.

    Raises:
        KeyError: If there is no such task.
        ValueError: If the task takes no input and there is one, or the other way round.
    """
    task = get_task(tag)
    takes_input = task.input_kind != 'none'
    if takes_input == (prompt_input is None):
        alike = ', '.join(other.tag for other in _TASKS.values() if (other.input_kind == 'none') == takes_input)
        if takes_input:
            raise ValueError(f'task {tag} needs {NEEDS[task.input_kind]}; tasks without input: {alike}')
        raise ValueError(f'task {tag} takes no input, got {prompt_input!r:.80}; tasks with input: {alike}')
    return task


def make_prompt(
    tag: str,
    prompt_input: PromptInput = None,
    image_size: tuple[float, float] | None = None,
    canvas_size: tuple[float, float] | None = None,
) -> str:
    """What the model reads for a task.

    Args:
        tag: Tag of the task.
        prompt_input: None where the task takes none; else see `prompts.input_text`.
        image_size: Width and height; only a box in pixels needs it.
        canvas_size: The same with padding, see `florence.tasks.florence2.canvas`; None: there is none.

    Raises:
        KeyError: If there is no such task.
        ValueError: If the task takes no input and there is one, or its input is missing or wrong.
    """
    task = require_input(tag, prompt_input)
    if task.input_kind == 'none':
        return task.prompt
    return task.prompt.replace('{input}', input_text(tag, task.input_kind, prompt_input, image_size, canvas_size))
