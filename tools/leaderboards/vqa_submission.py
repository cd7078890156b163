"""Pack, check and score answers to VQAv2; pack and check those to TextVQA, VizWiz and DocVQA.

    python tools/leaderboards/vqa_submission.py pack OUT_DIR RESULTS.json [SHARD.json ...] --algorithm meter \\
        --questions v2_OpenEnded_mscoco_test-dev2015_questions.json
    python tools/leaderboards/vqa_submission.py check FILE.json --questions v2_OpenEnded_mscoco_test2015_questions.json
    python tools/leaderboards/vqa_submission.py score FILE.json --annotations v2_mscoco_val2014_annotations.json
    python tools/leaderboards/vqa_submission.py pack OUT_DIR RESULTS.json --dataset textvqa --algorithm florence2 \\
        --questions TextVQA_0.5.1_test.json

Results come from `VQAAccuracy` or `TaskAnswers` with `format_only=True, outfile=...`.
"""

import argparse
import json
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.evaluation.leaderboards.vqa_submission import (
    KEYS,
    check_answers,
    merge_answers,
    read_answers,
    read_question_ids,
    score_answers,
    submission_answers,
    write_answers,
    write_submission,
)
from florence.tasks.vqa_files import read_vqa_annotations, read_vqa_questions
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Pack, check or score answers to VQAv2 and others.')
    commands = parser.add_subparsers(dest='command', required=True)
    pack = commands.add_parser('pack', help='join the answers of all processes, check them, write the file')
    pack.add_argument('out_dir', help='folder to write to')
    pack.add_argument('results', nargs='+', help='JSON lists of question_id and answer')
    pack.add_argument('--algorithm', required=True, help='name of the method: letters, digits, dots, hyphens')
    pack.add_argument('--fill-missing', action='store_true', help="answer '' to questions without an answer")
    pack.add_argument('--take-part', action='store_true', help='leave out answers to questions of another split')
    check = commands.add_parser('check', help='say what is wrong with a file; exit status 1 if anything is')
    check.add_argument('file')
    score = commands.add_parser('score', help='official accuracy on VQAv2 where annotations exist')
    score.add_argument('file')
    score.add_argument('--annotations', required=True, nargs='+', help='v2_mscoco_<subset>_annotations.json')
    for command in (pack, check):
        command.add_argument('--dataset', choices=KEYS, default='vqa_v2', help='whose server it is for')
        command.add_argument(
            '--questions', required=True, help="the set's file of the split, of VQAv2 v2_OpenEnded_mscoco_<subset>_questions.json"
        )
    return parser.parse_args()


def read_split(args: argparse.Namespace) -> tuple[str, list[int | str]]:
    """Name of the split and identities of its questions."""
    if args.dataset != 'vqa_v2':
        return args.questions, read_question_ids(args.questions, args.dataset)
    subset, questions = read_vqa_questions(args.questions)
    return subset, [question['question_id'] for question in questions]


def pack(args: argparse.Namespace) -> None:
    """Write the file and say where, and what was left out or filled in."""
    subset, question_ids = read_split(args)
    answers, repeated = merge_answers(args.results, args.dataset)
    if repeated:
        print(f'{repeated} questions were in several files with equal answers and are taken once.')
    entries = submission_answers(answers, question_ids, fill_missing=args.fill_missing, take_part=args.take_part)
    answered = {entry['question_id'] for entry in answers}
    left_out, filled = len(answered - set(question_ids)), len(set(question_ids) - answered)
    if left_out:
        print(f'left out {left_out} answers to questions that {subset} does not have.')
    if filled:
        print(f"{filled} of {len(question_ids)} questions had no answer and got ''.")
    if args.dataset == 'vqa_v2':
        path = write_submission(args.out_dir, subset, args.algorithm, entries)
    else:
        path = write_answers(args.out_dir, args.dataset, args.algorithm, entries)
    print(f'wrote {path}: {len(entries)} answers.')


def check(args: argparse.Namespace) -> None:
    """Say that the file is in order, or end with what is wrong."""
    _, question_ids = read_split(args)
    problems = check_answers(read_answers(args.file, args.dataset), question_ids)
    if problems:
        sys.exit('\n'.join(problems))
    print(f'{args.file} is in order.')


def score(args: argparse.Namespace) -> None:
    """Print the figures as JSON."""
    annotations = [entry for path in args.annotations for entry in read_vqa_annotations(path)]
    print(json.dumps(score_answers(read_answers(args.file), annotations), indent=2))


def main() -> None:
    args = parse_args()
    try:
        {'pack': pack, 'check': check, 'score': score}[args.command](args)
    except USER_ERRORS as error:
        sys.exit(in_words(error))


if __name__ == '__main__':
    main()
