"""Run a model on images: `python tools/infer.py TASK --model NAME_OR_CONFIG --checkpoint CKPT INPUTS... --text ... [--out DIR]`.

Tasks:
    zero-shot-classification   which of the comma-separated classes of --text each image shows
    retrieve                   which images fit each text of --text best (texts separated by ';')
Results go to standard output as JSON, and with --out to DIR/results.json beside a picture.
"""

import argparse
import json
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.apis import TwoTowerInferencer
from florence.atomic_files import write_json

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def find_config(name: str) -> str:
    """The path itself, or the config of that name below `configs/`."""
    if Path(name).is_file():
        return name
    found = sorted(CONFIGS.rglob(f'{name}.py'))
    if len(found) != 1:
        raise FileNotFoundError(f'--model {name!r} is no file, and {len(found)} configs have that name: give a path.')
    return str(found[0])


def find_images(inputs: list[str]) -> list[str]:
    """Files as they are, folders as the images below them."""
    paths: list[str] = []
    for item in inputs:
        if Path(item).is_dir():
            paths += sorted(str(path) for path in Path(item).rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES)
        else:
            paths.append(item)
    if not paths:
        raise FileNotFoundError(f'no image with an ending of {", ".join(IMAGE_SUFFIXES)} in {", ".join(inputs)}.')
    return paths


def classify(args: argparse.Namespace, inferencer: TwoTowerInferencer) -> list[dict]:
    classes = [name.strip() for name in args.text.split(',') if name.strip()]
    return inferencer.classify(find_images(args.inputs), classes, args.templates, args.out)


def retrieve(args: argparse.Namespace, inferencer: TwoTowerInferencer) -> list[dict]:
    texts = [text.strip() for text in args.text.split(';') if text.strip()]
    return inferencer.retrieve(find_images(args.inputs), texts, out_dir=args.out)


TASKS = {'zero-shot-classification': classify, 'retrieve': retrieve}


def main() -> None:
    parser = argparse.ArgumentParser(description='Run a model on images.')
    parser.add_argument('task', choices=TASKS, help='what to do')
    parser.add_argument('inputs', nargs='+', help='image files or folders')
    parser.add_argument('--model', required=True, help='config file or its name')
    parser.add_argument('--checkpoint', help='weights')
    parser.add_argument('--text', required=True, help="classes separated by ',' or texts separated by ';'")
    parser.add_argument('--templates', default='simple', help='prompt-template set of zero-shot classification')
    parser.add_argument('--device', default='cpu', help='where the model runs')
    parser.add_argument('--out', metavar='DIR', help='write results.json and a picture there')
    args = parser.parse_args()
    try:
        inferencer = TwoTowerInferencer(find_config(args.model), args.checkpoint, args.device)
        results = TASKS[args.task](args, inferencer)
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0]}')
    print(json.dumps(results, indent=2))
    if args.out:
        write_json(Path(args.out) / 'results.json', results)


if __name__ == '__main__':
    main()
