"""Zero-shot detection of one class beside that of LVIS' 1,203: what a longer list of names costs.

    python benchmarks/class_list.py --json benchmarks/reports/class_list.json

The class embeddings are kept, in memory and on the disk, so that a prediction meets the list in one matrix product and in the
choice of the best pairs. Both lists are used in turn on the same image by the same model. `ratio` is the prediction with the long
list over that with the short one; `image_side` (proposals and their embeddings) does not know the list at all, its two medians
show the noise. `bank_seconds` is what encoding the names takes once, `bank_load_seconds` what a later start takes to find them on
the disk.
"""

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from reporting import hardware, publish
from zero_shot_setup import build_detector, one_image

from florence.models.detectors import ZeroShotDetector
from florence.models.detectors.text_bank import TextBank

ADJECTIVES = ('red', 'green', 'blue', 'old', 'new', 'big')


def names_of(count: int) -> list[str]:
    """Distinct names of two words, as long as those of LVIS are."""
    return [f'{ADJECTIVES[index % 6]} object {index}' for index in range(count)]


def bank_seconds(model: ZeroShotDetector, names: list[str], folder: str, args: argparse.Namespace) -> tuple[float, float]:
    """Seconds to encode the names, and to find them again in a fresh start."""
    seconds = []
    for built in (1, 0):
        bank = TextBank(folder)
        start = time.perf_counter()
        bank.get(model.two_tower, tuple(names), args.templates)
        seconds.append(time.perf_counter() - start)
        assert bank.built == built
    return seconds[0], seconds[1]


def measure(
    model: ZeroShotDetector, lists: dict[int, list[str]], args: argparse.Namespace
) -> dict[int, dict[str, tuple[float, float]]]:
    """Median and least seconds of both sides of a prediction with each list, in turn."""
    inputs, samples = one_image(args.height, args.width)
    times: dict[int, dict[str, list[float]]] = {count: {'image_side': [], 'text_side': [], 'predict': []} for count in lists}
    for repeat in range(args.repeats + 1):
        # The order changes: what comes second may find warmer caches.
        for count in sorted(lists, reverse=repeat % 2 == 0):
            model.set_classes(lists[count], args.templates)
            start = time.perf_counter()
            regions = model.find_regions(inputs, samples)
            between = time.perf_counter()
            model.name_regions(regions, samples)
            end = time.perf_counter()
            if repeat:
                for side, value in zip(times[count], (between - start, end - between, end - start), strict=True):
                    times[count][side].append(value)
    return {
        count: {side: (statistics.median(values), min(values)) for side, values in sides.items()}
        for count, sides in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arch', default='tiny', help='CoSwin arch')
    parser.add_argument('--blocks', type=int, default=6, help='Dynamic Head blocks')
    parser.add_argument('--text-layers', type=int, default=12)
    parser.add_argument('--classes', type=int, nargs=2, default=[1, 1203])
    parser.add_argument('--templates', default='simple')
    parser.add_argument('--height', type=int, default=800)
    parser.add_argument('--width', type=int, default=1344)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=6)
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        model = build_detector(args, text_bank_dir=folder)
        lists = {count: names_of(count) for count in args.classes}
        few, many = args.classes
        model.two_tower.tokenizer.tokenizer.train(lists[many])
        built, loaded = bank_seconds(model, lists[many], folder, args)
        sides = measure(model, lists, args)
    report = {
        'benchmark': 'class_list',
        'ratio': round(sides[many]['predict'][0] / sides[few]['predict'][0], 3),
        'min_ratio': round(sides[many]['predict'][1] / sides[few]['predict'][1], 3),
        'image_side_ratio': round(sides[many]['image_side'][0] / sides[few]['image_side'][0], 3),
        'difference_ms': round(1000 * (sides[many]['predict'][0] - sides[few]['predict'][0]), 1),
        'text_side_difference_ms': round(1000 * (sides[many]['text_side'][0] - sides[few]['text_side'][0]), 1),
        'bank_seconds': round(built, 2),
        'bank_load_seconds': round(loaded, 3),
        'seconds': {str(count): {side: round(value[0], 4) for side, value in found.items()} for count, found in sides.items()},
        'min_seconds': {
            str(count): {side: round(value[1], 4) for side, value in found.items()} for count, found in sides.items()
        },
        **{key: value for key, value in vars(args).items() if key != 'json'},
        'versions': {'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
