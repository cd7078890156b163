"""Build the answer vocabulary of a VQA classifier: the answers given often enough, in the order of the files.

    python tools/dataset_converters/build_answer_vocabulary.py answers.json v2_mscoco_train2014_annotations.json \\
        v2_mscoco_val2014_annotations.json
    python tools/dataset_converters/build_answer_vocabulary.py answers.json my_questions.csv --answers answer --min-count 3

VQAv2's train and val give 3,129 answers. Prints how much of the questions a classifier over them can reach.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import florence  # noqa: F401  (first, as in every tool)

from florence.datasets.record_pairs import READERS
from florence.datasets.vqa_records import QuestionColumns
from florence.tasks.answer_vocabulary import AnswerVocabulary
from florence.tasks.vqa_answers import answer_key, soft_scores
from florence.tasks.vqa_files import read_vqa_annotations, typed_answers
from florence.user_errors import USER_ERRORS, in_words


def questions_of_vqa(path: str) -> list[tuple[str, list[str]]]:
    """The answer that VQAv2 names as the most common one, or the most common one, and all answers, of each question.

    Raises:
        KeyError: If a field is missing.
        ValueError: If the file is no JSON object.
    """
    if Path(path).suffix.lower() != '.json':
        raise ValueError(f'{path}: annotations of VQAv2 are a .json file; of records, name the columns of answers by --answers.')
    return [
        (entry.get('multiple_choice_answer') or most_common(typed_answers(entry)), typed_answers(entry))
        for entry in read_vqa_annotations(path)
    ]


def questions_of_records(path: str, columns: list[str]) -> list[tuple[str, list[str]]]:
    """The most common answer and all answers of each record.

    Raises:
        KeyError: If a column is missing.
        ValueError: If the ending of the file's name is unknown.
    """
    kind = Path(path).suffix[1:].lower()
    if kind not in READERS:
        raise ValueError(f'{path}: records are read from {", ".join(READERS)}, by the ending of the name.')
    named = QuestionColumns(answers=columns)
    questions = []
    for number, record in enumerate(READERS[kind](path)):
        for column in columns:
            if column not in record:
                raise KeyError(f'{path}: record {number} has no column {column!r}, found {", ".join(record)}.')
        answers = named.answers_of(record, f'{path}: record {number}')
        questions.append((most_common(answers), answers))
    return questions


def most_common(answers: list[str]) -> str:
    """The answer given most often, whatever its case and form, the first of equals; '' where there is none."""
    return Counter(map(answer_key, answers)).most_common(1)[0][0] if answers else ''


def report(vocabulary: AnswerVocabulary, questions: list[tuple[str, list[str]]]) -> str:
    """What a classifier over the vocabulary can reach at best."""
    targets = vocabulary.targets([soft_scores(answers) for _, answers in questions])
    reachable = sum(bool(target) for target in targets)
    ceiling = sum(max(target.values(), default=0.0) for target in targets) / len(questions)
    return (
        f'{len(vocabulary)} answers; {reachable} of {len(questions)} questions ({reachable / len(questions):.2%}) have one of '
        f'them; the best choice among them would score {100 * ceiling:.2f}.'
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', metavar='OUT', help='JSON list to write')
    parser.add_argument('files', nargs='+', metavar='FILE', help="VQAv2's annotations; or records, with --answers")
    parser.add_argument('--min-count', type=int, default=9, help='questions whose most common answer it has to be (default 9)')
    parser.add_argument('--answers', nargs='+', metavar='COLUMN', help='columns of the answers in files of records')
    args = parser.parse_args(arguments)
    try:
        questions = []
        for path in args.files:
            if not Path(path).is_file():
                raise FileNotFoundError(f'no annotation file {path}: check the path.')
            questions += questions_of_records(path, args.answers) if args.answers else questions_of_vqa(path)
        vocabulary = AnswerVocabulary.build((answer for answer, _ in questions), args.min_count)
        vocabulary.save(args.out)
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(f'wrote {args.out}: {report(vocabulary, questions)}')


if __name__ == '__main__':
    main()
