"""One form for the questions of every VQA set, and the rules that all of these sets share.

An entry is one question; the image of several questions is named by each of them. METER (arXiv 2111.02387) leaves a question out
of training where none of its answers is in the vocabulary: no output of the classifier is right then. Evaluation keeps every
question, those count as wrong. Differs from METER: it leaves them out of its validation set too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmengine.logging import print_log

from florence.tasks.answer_vocabulary import AnswerVocabulary
from florence.tasks.vqa_answers import soft_scores


def question_entry(
    question_id: int | str,
    question: str,
    img_path: Path,
    *,
    image_id: int | str,
    answers: Sequence[str] | None,
    question_type: str | None = None,
    answer_type: str | None = None,
) -> dict:
    """The annotation of one question.

    Args:
        question_id: Its identity in the set.
        question: Its text.
        img_path: File of the image.
        image_id: Identity of the image.
        answers: One per annotator, as typed; None or empty where there are no annotations.
        question_type, answer_type: Groups for break-downs of the accuracy; None = none.

    Raises:
        ValueError: If an answer is no text.
    """
    odd = [answer for answer in answers or () if not isinstance(answer, str)]
    if odd:
        raise ValueError(f'question {question_id!r} ({question!r}) has an answer that is no text: {odd[0]!r}')
    entry: dict = {
        'sample_id': str(question_id),
        'question_id': question_id,
        'text': question,
        'img_path': str(img_path),
        'image_id': image_id,
    }
    if answers:
        entry |= {'answers': tuple(answers), 'answer_scores': soft_scores(answers)}
    types = {'question_type': question_type, 'answer_type': answer_type}
    return entry | {key: value for key, value in types.items() if value is not None}


def settle_questions(entries: Iterable[dict], *, name: str, test_mode: bool, answer_file: str | Path | None) -> list[dict]:
    """Check the questions of a set, and leave out of training those that teach nothing; the log says how many.

    Args:
        entries: Of `question_entry`.
        name: Name of the set, for messages.
        test_mode: Evaluation: every question stays.
        answer_file: Vocabulary of the classifier; None = every answer is fine.

    Raises:
        FileNotFoundError: If there is no such vocabulary.
        ValueError: If two questions have one id, or none is left to train on.
    """
    entries = list(entries)
    twice = [number for number, count in Counter(entry['question_id'] for entry in entries).items() if count > 1]
    if twice:
        raise ValueError(
            f'{name}: {len(twice)} question ids occur more than once, e.g. {twice[0]!r}: list no file twice and give every '
            'question an id of its own.'
        )
    vocabulary = None if answer_file is None else AnswerVocabulary.from_file(answer_file)
    answered = [entry for entry in entries if entry.get('answer_scores')]
    reachable = [entry for entry in answered if vocabulary is None or any(map(vocabulary.__contains__, entry['answer_scores']))]
    _report(name, len(entries), len(entries) - len(answered), len(answered) - len(reachable), test_mode)
    if test_mode:
        return entries
    if entries and not reachable:
        raise ValueError(
            f'{name}: none of {len(entries)} questions has an answer to train on: give the annotations, and the vocabulary that '
            'was built from them.'
        )
    return reachable


def _report(name: str, questions: int, unanswered: int, unreachable: int, test_mode: bool) -> None:
    fate = 'they count as wrong' if test_mode else 'left out of training'
    without = 'they cannot be scored' if test_mode else 'left out of training'
    for count, reason in (
        (unanswered, f'have no annotated answer: {without}'),
        (unreachable, f'have no answer in the vocabulary: {fate}'),
    ):
        if count:
            print_log(f'{name}: {count} of {questions} questions ({count / questions:.1%}) {reason}', logger='current')
