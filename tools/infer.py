"""Run a model on images or videos.

    python tools/infer.py TASK --model NAME_OR_CONFIG --checkpoint CKPT INPUTS... [--text T] [--out DIR]

Tasks:
    zero-shot-classification   which of the comma-separated classes of --text each image shows
    retrieve                   which images fit each text of --text best (texts separated by ';')
    zero-shot-detection        where objects of the comma-separated classes of --text are
    detection                  where objects of the classes of a trained detector are
    vqa                        answers to the questions of --text about each image (separated by ';')
    caption                    a description of each image
    action                     what happens in each video: classes of a recogniser, or those of --text through two towers
    video-retrieve             which videos fit each text of --text best (texts separated by ';')
    florence2                  answers of Florence-2 to --task, e.g. '<OD>' or '<VQA>' with --text
Results go to standard output as JSON, messages to standard error; with --out results go to DIR/results.json, too, beside
pictures. An image or video that cannot be read is left out of the results and named on standard error; where none can be read,
the exit status is 1. `TASK --help` lists a task's options.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Collection
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from mmengine.config import Config

from florence.apis import (
    ActionInferencer, CaptionInferencer, DetectionInferencer, Florence2Inferencer, FusedRetrievalInferencer,
    TwoTowerInferencer, VideoRetrievalInferencer, VQAInferencer, ZeroShotDetectionInferencer,
)  # fmt: skip
from florence.apis.florence2_inferencer import read_questions
from florence.atomic_files import write_json
from florence.datasets.image_folder import IMAGE_SUFFIXES
from florence.datasets.video.action_lists import VIDEO_SUFFIXES
from florence.tasks.class_names import read_class_names
from florence.tasks.florence2.box_scores import SCORE_MODES
from florence.tasks.florence2.task import get_task, task_tags
from florence.user_errors import USER_ERRORS, did_you_mean, in_words

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def find_config(name: str) -> str:
    """The path itself, or the config of that name below `configs/`; `mmdet::NAME.py` is left to the reader of configs."""
    if '::' in name or Path(name).is_file():
        return name
    found = sorted(CONFIGS.rglob(f'{name}.py'))
    if len(found) != 1:
        known = () if found else (path.stem for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
        hint = did_you_mean(name, known, most=3)
        raise FileNotFoundError(f'--model {name!r} is no file, and {len(found)} configs have that name: give a path.{hint}')
    return str(found[0])


def find_images(inputs: list[str], suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[str]:
    """Files as they are, folders as the images (or what has one of the endings) below them."""
    paths: list[str] = []
    for item in inputs:
        if Path(item).is_dir():
            paths += sorted(str(path) for path in Path(item).rglob('*') if path.suffix.lower() in suffixes)
        else:
            paths.append(item)
    if not paths:
        raise FileNotFoundError(f'no file with an ending of {", ".join(sorted(suffixes))} in {", ".join(inputs)}.')
    return paths


def split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def classify(args: argparse.Namespace) -> list[dict]:
    inferencer = TwoTowerInferencer(find_config(args.model), args.checkpoint, args.device)
    return inferencer.classify(find_images(args.inputs), split(args.text, ','), args.templates, args.out)


def retrieve(args: argparse.Namespace) -> list[dict]:
    config = Config.fromfile(find_config(args.model))
    is_meter = str(config.get('model', {}).get('type')).endswith('METERModel')
    inferencer = (FusedRetrievalInferencer if is_meter else TwoTowerInferencer)(config, args.checkpoint, args.device)
    return inferencer.retrieve(find_images(args.inputs), split(args.text, ';'), out_dir=args.out)


def zero_shot_detection(args: argparse.Namespace) -> list[dict]:
    inferencer = ZeroShotDetectionInferencer(find_config(args.model), args.checkpoint, args.device)
    background = None if args.background is None else split(args.background, ',')
    return inferencer(
        find_images(args.inputs), split(args.text, ','), templates=args.templates, background_names=background,
        score_thr=args.score_thr, out_dir=args.out,
    )  # fmt: skip


def detection(args: argparse.Namespace) -> list[dict]:
    inferencer = DetectionInferencer(find_config(args.model), args.checkpoint, args.device)
    return inferencer(find_images(args.inputs), args.score_thr, args.out)


def vqa(args: argparse.Namespace) -> list[dict]:
    inferencer = VQAInferencer(find_config(args.model), args.checkpoint, args.device)
    return inferencer(
        find_images(args.inputs), split(args.text, ';'), out_dir=args.out, num_answers=args.answers, paired=args.paired,
        attention=args.attention,
    )  # fmt: skip


def caption(args: argparse.Namespace) -> list[dict]:
    inferencer = CaptionInferencer(find_config(args.model), args.checkpoint, args.device)
    return inferencer(find_images(args.inputs), args.out)


def action(args: argparse.Namespace) -> list[dict]:
    classes = read_class_names(args.classes) if args.classes else split(args.text or '', ',')
    inferencer = ActionInferencer(
        find_config(args.model), args.checkpoint, args.device, classes=classes, templates=args.templates
    )  # fmt: skip
    return inferencer(find_images(args.inputs, VIDEO_SUFFIXES), args.top, args.out)


def video_retrieve(args: argparse.Namespace) -> list[dict]:
    inferencer = VideoRetrievalInferencer(find_config(args.model), args.checkpoint, args.device)
    return inferencer.retrieve(find_images(args.inputs, VIDEO_SUFFIXES), split(args.text, ';'), args.top, args.out)


def florence2(args: argparse.Namespace) -> list[dict]:
    if args.text is not None and all(get_task(tag).input_kind == 'none' for tag in args.tag):
        raise ValueError(f'--text {args.text!r} has no use: {", ".join(args.tag)} take no input.')
    # What is wrong with a question is said before weights are loaded.
    questions = read_questions([(tag, task_input(tag, args.text)) for tag in args.tag])
    if args.onnx:
        inferencer = Florence2Inferencer.from_onnx(args.onnx)
    else:
        inferencer = Florence2Inferencer(find_config(args.model), args.checkpoint, args.device)
    return inferencer(find_images(args.inputs), questions, score_mode=args.scores, out_dir=args.out)


def task_input(tag: str, text: str | None) -> str | list | None:
    """What a task is asked about: nothing, the text, the names or the numbers that it lists."""
    kind = get_task(tag).input_kind
    if text is None or kind == 'none':
        return None
    parts = split(text, ',')
    if kind == 'region' and all(part.lstrip('-').replace('.', '', 1).isdigit() for part in parts):
        return [float(part) for part in parts]
    return parts if kind == 'names' else text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest='task', required=True, metavar='TASK')
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('inputs', nargs='+', help='image files or folders, or videos')
    common.add_argument('--checkpoint', help='weights')
    common.add_argument('--device', default='cpu', help='where the model runs')
    common.add_argument('--out', metavar='DIR', help='write results.json and pictures there')

    def add(name: str, run, description: str) -> argparse.ArgumentParser:
        task = tasks.add_parser(name, parents=[common], help=description, description=description)
        task.set_defaults(run=run)
        model = task.add_mutually_exclusive_group(required=True)
        model.add_argument('--model', help='config file or its name')
        if name == 'florence2':
            model.add_argument('--onnx', metavar='FOLDER', help='instead of --model, --checkpoint, --device: an exported model')
        return task

    task = add('zero-shot-classification', classify, 'which of some classes each image shows')
    task.add_argument('--text', required=True, help="classes separated by ','")
    task.add_argument('--templates', default='simple', help='prompt-template set')
    task = add('retrieve', retrieve, 'which images fit each text best')
    task.add_argument('--text', required=True, help="texts separated by ';'")
    task = add('zero-shot-detection', zero_shot_detection, 'where objects of some classes are')
    task.add_argument('--text', required=True, help="classes separated by ','")
    task.add_argument('--templates', help="prompt-template set; default: the model's")
    task.add_argument('--background', help="names that regions may have instead, separated by ','; default: the model's")
    task.add_argument('--score-thr', type=float, default=0.3, help='leave out detections of a lower score')
    task = add('detection', detection, "where objects of a trained detector's classes are")
    task.add_argument('--score-thr', type=float, default=0.3, help='leave out detections of a lower score')
    task = add('vqa', vqa, 'answers to questions about each image')
    task.add_argument('--text', required=True, help="questions separated by ';'")
    task.add_argument('--paired', action='store_true', help='the first question is about the first image, and so on')
    task.add_argument('--answers', type=int, default=5, help='answers of each result')
    task.add_argument('--attention', action='store_true', help='also draw what the words look at, into --out')
    add('caption', caption, 'a description of each image')
    task = add('action', action, 'what happens in each video')
    names = task.add_mutually_exclusive_group()
    names.add_argument('--text', help="class names separated by ',': of two towers to choose among, of a recogniser in its order")
    names.add_argument('--classes', metavar='FILE', help='instead of --text: a file of class names, one a line, or a known set')
    task.add_argument('--templates', help="prompt-template set, for two towers; default: the config's")
    task.add_argument('--top', type=int, default=5, help='classes of each result')
    task = add('video-retrieve', video_retrieve, 'which videos fit each text best')
    task.add_argument('--text', required=True, help="texts separated by ';'")
    task.add_argument('--top', type=int, default=5, help='videos of each text')
    task = add('florence2', florence2, 'answers of Florence-2')
    task.add_argument(
        '--task',
        dest='tag',
        action='append',
        required=True,
        metavar='TAG',
        help=f'may be given several times: {" ".join(task_tags())}',
    )
    task.add_argument(
        '--text', help="for tasks that take an input: a text, class names separated by ',', or a region 'x1,y1,x2,y2' in pixels"
    )
    task.add_argument('--scores', default='loc', choices=SCORE_MODES, help='how boxes are scored')
    args = parser.parse_args()
    if getattr(args, 'onnx', None) and (args.checkpoint or args.device != 'cpu'):
        parser.error('--onnx takes neither --checkpoint nor --device: the folder has its weights, which run on the CPU')
    return args


def main() -> None:
    args = parse_args()
    try:
        if args.out:
            # Before hours of work: a folder that cannot be made.
            if Path(args.out).exists() and not Path(args.out).is_dir():
                raise ValueError(f'--out {args.out!r} is a file: give a folder.')
            Path(args.out).mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(sys.stderr):
            results = args.run(args)
        if args.out:
            write_json(Path(args.out) / 'results.json', results)
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(json.dumps(results, indent=2))


if __name__ == '__main__':
    main()
