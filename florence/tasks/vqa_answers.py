"""Answers of VQA: the official normalisation, and what an answer is worth given those of the annotators.

Source: https://github.com/GT-Vision-Lab/VQA, `vqaEval.py` of 2021-03, and METER (arXiv 2111.02387) for training targets. The
slips of the official code are kept, a figure must equal the official one: its look-behind for periods is a look-ahead that never
matters, and the flag of its substitution is a count, so at most 32 periods go. Differs from METER in `soft_scores`: annotators
are counted by normalised answers, METER looks raw answers up in a vocabulary of normalised ones and loses those that differ.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from florence.tasks.vqa_contractions import CONTRACTIONS

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
NUMBERS = {
    'none': '0', 'zero': '0', 'one': '1', 'two': '2', 'three': '3', 'four': '4', 'five': '5', 'six': '6', 'seven': '7',
    'eight': '8', 'nine': '9', 'ten': '10',
}  # fmt: skip
ARTICLES = frozenset({'a', 'an', 'the'})
MAX_PERIODS = 32

_COMMA_IN_NUMBER = re.compile(r'\d,\d')
_PERIOD = re.compile(r'\.(?!\d)')


def clean_answer(answer: str) -> str:
    """The answer without tabs, line breaks and surrounding blanks; the official rule does this to every answer."""
    return answer.replace('\n', ' ').replace('\t', ' ').strip()


def normalize_answer(answer: str) -> str:
    """Official normal form: punctuation, case, number words, articles, contractions.

    Args:
        answer: A cleaned answer.

    Returns:
        The normal form; empty where nothing but articles and punctuation was there ("A" becomes "").
    """
    text = answer
    has_number = _COMMA_IN_NUMBER.search(answer) is not None
    for mark in PUNCTUATION:
        if mark in text:
            is_loose = has_number or f'{mark} ' in answer or f' {mark}' in answer
            text = text.replace(mark, '' if is_loose else ' ')
    text = _PERIOD.sub('', text, count=MAX_PERIODS)
    words = (NUMBERS.get(word, word) for word in text.lower().split())
    return ' '.join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


# Reading VQAv2 asks for six million keys of some 200,000 different answers.
@lru_cache(maxsize=1 << 18)
def answer_key(answer: str) -> str:
    """Form in which answers are counted and kept in a vocabulary: the normal form, or the lower-case answer where that is empty.

    So the options "A" and "the" stay answers instead of becoming the same empty string.
    """
    cleaned = clean_answer(answer)
    return normalize_answer(cleaned) or cleaned.lower()


@lru_cache(maxsize=1 << 10)
def leave_one_out_score(agreeing: int, annotators: int) -> float:
    """What an answer is worth, in `[0, 1]`: `min(1, agreeing others / 3)`, averaged over leaving each annotator out.

    For ten annotators 0, 0.3, 0.6, 0.9 and 1 from four on. One annotator alone leaves nobody to agree with, and the official rule
    gives 0 to every answer; here that annotator's answer is worth 1.

    Args:
        agreeing: Annotators who gave this answer.
        annotators: All annotators, at least 1.
    """
    assert 0 <= agreeing <= annotators and annotators > 0
    if annotators == 1:
        return float(agreeing)
    thirds = agreeing * min(agreeing - 1, 3) + (annotators - agreeing) * min(agreeing, 3)
    return thirds / (3 * annotators) if agreeing else 0.0


def soft_scores(answers: Sequence[str]) -> dict[str, float]:
    """Training target of a question: what each given answer is worth, in the order in which they were first given.

    Args:
        answers: One per annotator, as they were typed; empty ones count as annotators without an answer.

    Returns:
        Key of the answer (`answer_key`) -> score in `(0, 1]`.
    """
    counts = Counter(key for key in map(answer_key, answers) if key)
    return {key: leave_one_out_score(count, len(answers)) for key, count in counts.items()}
