"""Run a detector on ODinW or on the eleven sets of Florence's Table 7, or check a submission.

    python tools/leaderboards/odinw.py --root DIR --model CONFIG --checkpoint CKPT [--group florence11|odinw13|odinw35]
        [--split test|valid|mini_val|glip] [--mode zero-shot|full|few-shot] [--shots 5] [--prompts readable|file|glip]
        [--work-dir DIR]
    python tools/leaderboards/odinw.py --check SUBMISSION.json --root DIR [--group ...] [--split ...] [--mode ...]

Sets that are not below DIR are listed and do not count. Written to the work dir: odinw.json and odinw.md (AP of each set, means,
the paper's figures), submission.json (all detections, in the form of the ODinW challenge), and a folder for each set.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.apis.odinw import OdinwRun, run_odinw
from florence.engine.cfg_options import add_cfg_options
from florence.engine.launch import LAUNCHERS
from florence.evaluation.leaderboards.odinw_submission import check_odinw_submission
from florence.evaluation.leaderboards.odinw_table import MODES, to_markdown
from florence.tasks.detection_prompts import PROMPT_SETS
from florence.tasks.odinw import FEW_SHOT_COUNTS, GROUPS, sets_of
from florence.tasks.odinw_folders import find_split
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Run a detector on the sets of ODinW, or check a submission.')
    parser.add_argument('--root', required=True, help='folder of the sets')
    parser.add_argument('--model', metavar='CONFIG', help='detection config')
    parser.add_argument('--checkpoint', help='weights; for full and few-shot those that training starts from')
    parser.add_argument('--group', choices=GROUPS, default='florence11', help='which sets')
    parser.add_argument('--split', choices=('test', 'valid', 'mini_val', 'glip'), default='test', help="glip: GLIP's, by set")
    parser.add_argument('--mode', choices=MODES, default='zero-shot', help='training on nothing, everything or a few images')
    parser.add_argument('--shots', type=int, choices=FEW_SHOT_COUNTS, default=5, help='images of each class of few-shot')
    parser.add_argument('--prompts', choices=PROMPT_SETS, default='readable', help='what the text tower reads for a class')
    parser.add_argument('--work-dir', default='work_dirs/odinw', help='folder for everything that is written')
    parser.add_argument('--check', metavar='FILE', help='check a submission instead; exit status 1 if it is wrong')
    add_cfg_options(parser, {})
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='how the ranks were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')
    args = parser.parse_args()
    if args.model is None and args.check is None:
        parser.error('give --model CONFIG to run, or --check FILE')
    return args


def check(args: argparse.Namespace) -> list[str]:
    splits = {each.name: find_split(args.root, each, args.split) for each in sets_of(args.group)}
    ann_files = {name: files.ann_file for name, files in splits.items() if files is not None}
    return check_odinw_submission(args.check, args.group, ann_files, few_shot=args.mode == 'few-shot')


def main() -> None:
    args = parse_args()
    try:
        if args.check:
            problems = check(args)
            if problems:
                sys.exit('\n'.join(problems))
            print(f'{args.check} is in order.')
            return
        run = OdinwRun(
            root=args.root,
            config=args.model,
            checkpoint=args.checkpoint,
            group=args.group,
            work_dir=args.work_dir,
            split=args.split,
            mode=args.mode,
            prompt_set=args.prompts,
            shots=args.shots,
            cfg_options=args.cfg_options,
            launcher=args.launcher,
        )
        table = run_odinw(run)
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    if table:
        print(to_markdown(table))
        print(f'written: {Path(args.work_dir, "odinw.json")}')


if __name__ == '__main__':
    main()
