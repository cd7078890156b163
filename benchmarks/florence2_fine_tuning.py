"""A training step of Florence-2 with little: adapters, a frozen vision tower, its maps from the disk, beside training all of it.

    python benchmarks/florence2_fine_tuning.py --json benchmarks/reports/florence2_fine_tuning_1thread.json

The same random weights, images and targets, AdamW:

    full           everything learns
    lora           adapters of rank 8 in the language model and the vision tower
    frozen         `FrozenBackbone`: no graph through the tower
    frozen_cached  the same with its maps on disk from an earlier epoch
    lora_cached    adapters in the language model, the tower's maps on disk

Each runs in a fresh process. `cpu_s` and `s` are medians of the CPU time of all threads and of the clock; `extra_mb` is what
steps add to the resident set at its peak, gradients and optimizer state included. `speed` and `memory` compare with `full`.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from reporting import hardware, publish, resident_mb

from florence.models.florence2 import Florence2
from florence.structures import ImageTextSample

CONTESTANTS = ('full', 'lora', 'frozen', 'frozen_cached', 'lora_cached')
PROMPT = 'Locate the objects with category name in the image.'
VOCAB_SIZE = 51289


def build(name: str, args: argparse.Namespace) -> Florence2:
    """The model of a contestant, in training mode."""
    torch.manual_seed(0)
    tower = dict(type='DaViT', arch=f'florence2-{args.size}', drop_path_rate=0.0)
    if name not in ('full', 'lora'):
        tower = dict(type='FrozenBackbone', backbone=tower, cache=dict(folder=args.cache) if 'cached' in name else None)
    lora = dict(rank=8, drop_rate=0.0, vision=name == 'lora') if 'lora' in name else None
    words = dict(type='Florence2Tokenizer', vocabulary='trained', vocab_size=VOCAB_SIZE)
    model = Florence2(tower, dict(arch=args.size, drop_rate=0.0), words, lora=lora)
    model.tokenizer.tokenizer.train([PROMPT])
    return model.train()


def figures(name: str, args: argparse.Namespace) -> dict[str, float]:
    """Time and memory of a contestant, in this process."""
    model = build(name, args)
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-5)
    torch.manual_seed(1)
    images = torch.randn(args.batch, 3, args.image, args.image)
    places = torch.randint(1000, (args.batch, args.tokens - 2)).tolist()  # besides start and end token
    targets = [''.join(f'<loc_{place}>' for place in row) for row in places]
    samples = [ImageTextSample(prompt=PROMPT, target=target) for target in targets]
    if 'cached' in name:
        model.vision_tower(images)  # the earlier epoch
    before = resident_mb('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    times = []
    for _ in range(args.repeats + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        model.loss(images, samples)['loss_text'].backward()
        optimizer.step()
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    wall, cpu = zip(*times[1:], strict=True)  # the first makes the optimizer's state
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return {
        'cpu_s': round(statistics.median(cpu), 3),
        's': round(statistics.median(wall), 3),
        'extra_mb': round(resident_mb('VmHWM') - before, 1),
        'trained_m': round(trained / 1e6, 2),
    }


def in_fresh_process(name: str, cache: str) -> dict[str, float]:
    command = [sys.executable, *sys.argv, '--only', name, '--cache', cache]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def compared(results: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """With each contestant's speed and memory in units of training everything."""
    full = results['full']
    return {
        name: {
            **result,
            'speed': round(full['cpu_s'] / result['cpu_s'], 2),
            'memory': round(result['extra_mb'] / full['extra_mb'], 3),
        }
        for name, result in results.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', choices=('base', 'large'), default='base')
    parser.add_argument('--image', type=int, default=384, help='side in pixels')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--tokens', type=int, default=64, help='length of targets')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--only', choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument('--cache', help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.only:
        print(json.dumps(figures(args.only, args)))
        return
    with tempfile.TemporaryDirectory() as cache:
        results = compared({name: in_fresh_process(name, cache) for name in CONTESTANTS})
    report = {
        'benchmark': 'florence2_fine_tuning',
        'ratio': results['frozen_cached']['speed'],
        'cases': results,
        **{key: getattr(args, key) for key in ('size', 'image', 'batch', 'tokens', 'threads', 'repeats')},
        'versions': {'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
