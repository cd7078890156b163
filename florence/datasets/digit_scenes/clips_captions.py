"""Captions of digit clips in the three granularities of `captions`: who does what, in which colour, beside what and where.

'short': "a seven moves left"; 'medium': "a red seven moves left"; 'detailed': "a red seven moves left beside a blue two on a grey
ground".
"""

from florence.datasets.digit_scenes.captions import GRANULARITIES, noun_phrase, with_article
from florence.datasets.digit_scenes.clips import DigitClip
from florence.datasets.digit_scenes.scene import DIGIT_NAMES


def clip_caption(clip: DigitClip, granularity: str) -> str:
    """The caption of a clip.

    Args:
        clip: The clip.
        granularity: 'short', 'medium' or 'detailed'.

    Raises:
        ValueError: If the granularity is unknown.
    """
    if granularity not in GRANULARITIES:
        raise ValueError(f'clip_caption: granularity must be one of {GRANULARITIES}, got {granularity!r}.')
    if granularity == 'short':
        return f'{with_article(DIGIT_NAMES[clip.actor.digit])} {clip.action}'
    text = f'{noun_phrase(clip.actor, detailed=False)} {clip.action}'
    if granularity == 'medium':
        return text
    beside = f' beside {noun_phrase(clip.bystander, detailed=False)}' if clip.bystander else ''
    return f'{text}{beside} on {with_article(clip.frames[0].ground)} ground'
