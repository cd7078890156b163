"""Rules on the descriptions of a sample that data sets with an index and streams share."""

import logging
from collections.abc import Sequence

from mmengine.logging import print_log

from florence.datasets.bad_samples import BadSample
from florence.tasks.templates import is_short_text


def texts_of(info: dict) -> Sequence[str]:
    """All descriptions of a sample: its `captions`, or its `text`, or none."""
    if 'captions' in info:
        return info['captions']
    return (info['text'],) if 'text' in info else ()


def require_texts(info: dict) -> None:
    """Refuse a sample with an empty description; one without any passes (image classification has none).

    Raises:
        BadSample: If `captions` is empty, or a description is not a text or holds only white space.
    """
    if 'captions' in info and not info['captions']:
        raise BadSample(f'sample {info["sample_id"]} has no caption')
    for text in texts_of(info):
        if not isinstance(text, str) or not text.strip():
            raise BadSample(f'sample {info["sample_id"]} has an empty caption')


def settle_single_caption(info: dict, test_mode: bool) -> dict:
    """In training an only caption is the text; in evaluation every caption stays in the list."""
    if not test_mode and len(info.get('captions', ())) == 1:
        info['text'] = info.pop('captions')[0]
        info.pop('caption_ids', None)
    return info


def without_short_texts(info: dict, max_words: int) -> dict | None:
    """The sample without its descriptions of at most `max_words` words; None where none is left.

    Florence (arXiv 2111.11432, section 2.2) leaves such texts out of its second stage: their templates hurt
    retrieval. An empty description is kept, it is reported as a bad sample instead.
    """
    if 'captions' not in info:
        return None if 'text' in info and info['text'].strip() and is_short_text(info['text'], max_words) else info
    keep = [i for i, text in enumerate(info['captions']) if not text.strip() or not is_short_text(text, max_words)]
    if not keep and info['captions']:
        return None
    kept = dict(info, captions=tuple(info['captions'][i] for i in keep))
    if 'caption_ids' in info:
        kept['caption_ids'] = tuple(info['caption_ids'][i] for i in keep)
    return kept


def drop_short_texts(samples: Sequence[dict], max_words: int, name: str) -> list[dict]:
    """Leave short descriptions out of a list of samples and say in the log how many went.

    Args:
        samples: Raw annotations with `text` or `captions`.
        max_words: Longest description that goes, words.
        name: Name of the set, for the log.

    Raises:
        ValueError: If nothing is left.
    """
    kept = [info for info in (without_short_texts(info, max_words) for info in samples) if info is not None]
    num_texts = sum(len(texts_of(info)) for info in samples)
    num_kept = sum(len(texts_of(info)) for info in kept)
    print_log(
        f'{name}: left out {num_texts - num_kept} of {num_texts} texts with at most {max_words} words, '
        f'and with them {len(samples) - len(kept)} of {len(samples)} samples',
        logger='current',
        level=logging.INFO,
    )
    if not kept:
        raise ValueError(f'{name}: every text has at most {max_words} words, drop_short_texts leaves nothing to train on')
    return kept
