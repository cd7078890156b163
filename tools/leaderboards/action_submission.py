"""Pack and check submissions of action recognition: the Kinetics challenge and ActivityNet.

    python tools/leaderboards/action_submission.py pack kinetics OUT.json RESULTS.json --videos kinetics_test.csv
    python tools/leaderboards/action_submission.py check kinetics FILE.json --videos kinetics_test.csv
    python tools/leaderboards/action_submission.py pack activitynet OUT.json RESULTS.json --videos activity_net.v1-3.min.json \
        --subset testing [--task localization]

Results come from `florence.ActionResults` with `outfile=...` or from `tools/infer.py action --out DIR`.
"""

import argparse
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
from florence.evaluation.leaderboards.action_results import read_action_results, read_official_ids, read_submission
from florence.evaluation.leaderboards.activitynet_submission import TASKS, check_activitynet, write_activitynet
from florence.evaluation.leaderboards.kinetics_submission import check_kinetics, write_kinetics
from florence.tasks.class_names import read_class_names
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Pack or check submissions of action recognition.')
    commands = parser.add_subparsers(dest='command', required=True)
    pack = commands.add_parser('pack', help='write the submission')
    check = commands.add_parser('check', help='say what is wrong with a submission; exit status 1 if anything is')
    for command in (pack, check):
        command.add_argument('challenge', choices=('kinetics', 'activitynet'))
    pack.add_argument('out', help='JSON file to write')
    pack.add_argument('results', help='JSON list of sample_id (or path) and classes')
    pack.add_argument('--external-data', default='', metavar='TEXT', help='what other data the model has seen')
    check.add_argument('file')
    for command in (pack, check):
        command.add_argument('--videos', required=True, help='official list of the test videos: CSV, JSON or ids line by line')
        command.add_argument('--subset', help="of ActivityNet's list: the subset to take, such as 'testing'")
        command.add_argument('--classes', metavar='FILE', help='class names, one a line, which labels must be among')
        command.add_argument('--task', choices=TASKS, help='of ActivityNet; default: classification')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Carry out one command; ends with what is wrong, if anything is."""
    is_kinetics = args.challenge == 'kinetics'
    if is_kinetics and args.task:
        raise ValueError(f'--task {args.task} is for activitynet: kinetics has one task.')
    ids = read_official_ids(args.videos, args.subset)
    classes = read_class_names(args.classes) if args.classes else None
    task = {} if is_kinetics else {'task': args.task or 'classification'}
    if args.command == 'pack':
        write = write_kinetics if is_kinetics else write_activitynet
        write(args.out, read_action_results(args.results), ids, external_data=args.external_data, classes=classes, **task)
        print(f'wrote {args.out}: {len(ids)} videos.')
        return
    content = read_submission(args.file)
    problems = (check_kinetics if is_kinetics else check_activitynet)(content, ids, classes=classes, **task)
    if problems:
        sys.exit('\n'.join(problems))
    print(f'{args.file} is in order.')


def main() -> None:
    args = parse_args()
    try:
        run(args)
    except USER_ERRORS as error:
        sys.exit(in_words(error))


if __name__ == '__main__':
    main()
