"""A whole training step (forward, backward, AdamW) of Video Swin-T: ours beside mmaction2's, same weights, clips, threads.

    python benchmarks/video_train_step.py --threads 2 --batch 2 --json benchmarks/reports/video_train_step_2threads.json
    python benchmarks/video_train_step.py --frames 8 --size 56 --repeats 1

Both are `embed='patch'` with windows of (8, 7, 7), without drop path. Their maps are compared first on a clip of 224 px, where no
window is shrunken: mmaction2's are wrong otherwise, though as much work. The script stops where they differ by more than 1e-5 of
the largest.

`ratio` is the peer's time over ours: above 1, ours is faster. Contestants take turns; `ms` are medians, `min_ms` minima, `cpu_ms`
medians of the CPU time of all threads. `extra_mb` is what a step adds to the resident set at its peak, optimizer state included,
measured in a fresh process for each.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from reporting import hardware, publish, resident_mb
from torch import nn

import florence  # noqa: F401  (first: it mends mmaction2)
from florence.models.backbones.video_coswin import VideoCoSwin
from florence.models.converters.swin import florence_to_swin

NAMES = ('ours', 'mmaction2')
TOLERANCE = 1e-5


def build() -> dict[str, nn.Module]:
    """Both towers with the same weights."""
    from mmaction.models.backbones.swin import SwinTransformer3D

    torch.manual_seed(0)
    ours = VideoCoSwin('tiny', embed='patch', window_size=[(8, 7, 7)] * 4, drop_path_rate=0.0)
    peer = SwinTransformer3D('tiny', window_size=(8, 7, 7), drop_path_rate=0.0)
    peer.load_state_dict(peer.state_dict() | florence_to_swin(ours.state_dict(), fmt='mmaction'))
    return {'ours': ours, 'mmaction2': peer}


def max_difference(towers: dict[str, nn.Module]) -> float:
    clip = torch.randn(1, 3, 4, 224, 224)
    with torch.no_grad():
        ours, peer = (towers[name](clip) for name in NAMES)
    return float((ours - peer).abs().max() / peer.abs().max())


def training_step(tower: nn.Module, args: argparse.Namespace) -> Callable[[], None]:
    tower.train()
    optimizer = torch.optim.AdamW(tower.parameters(), lr=1e-4)
    clips = torch.randn(args.batch, 3, args.frames, args.size, args.size)

    def step() -> None:
        optimizer.zero_grad()
        output = tower(clips)
        # a sum alone would have no gradient through the last LayerNorm
        (output * torch.linspace(-1, 1, output.shape[1]).view(1, -1, 1, 1, 1)).mean().backward()
        optimizer.step()

    return step


def extra_memory(args: argparse.Namespace) -> float:
    """Megabytes that a first step adds at its peak to a tower, in this process."""
    step = training_step(build()[args.memory_of], args)
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = resident_mb('VmRSS')
    step()
    return resident_mb('VmHWM') - before


def memory_in_fresh_process(name: str, args: argparse.Namespace) -> float:
    sizes = [f'--{key}={getattr(args, key)}' for key in ('threads', 'batch', 'frames', 'size')]
    command = [sys.executable, __file__, f'--memory-of={name}', *sizes]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def measure(args: argparse.Namespace) -> dict:
    towers = build()
    difference = max_difference(towers)
    if difference > TOLERANCE:
        raise SystemExit(f'error: outputs differ by {difference:.1e} of the largest value, the comparison is void')
    steps = {name: training_step(tower, args) for name, tower in towers.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in NAMES}
    for turn in range(args.repeats + 1):
        for name, step in steps.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            step()
            if turn:  # the first one warms
                times[name].append((time.perf_counter() - start, time.process_time() - cpu_start))
    figures = {}
    for name, runs in times.items():
        wall, cpu = zip(*runs, strict=True)
        figures[name] = {
            'ms': round(1000 * statistics.median(wall), 1),
            'min_ms': round(1000 * min(wall), 1),
            'cpu_ms': round(1000 * statistics.median(cpu), 1),
            'extra_mb': round(memory_in_fresh_process(name, args), 1),
        }
    ratios = {key: round(figures['mmaction2'][key] / figures['ours'][key], 2) for key in figures['ours']}
    return {'ratio': ratios['ms'], 'ratios': ratios, 'max_difference': difference, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--frames', type=int, default=16)
    parser.add_argument('--size', type=int, default=112)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', choices=NAMES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(extra_memory(args))
        return
    report = {
        'benchmark': 'video_train_step',
        **measure(args),
        **{key: getattr(args, key) for key in ('threads', 'batch', 'frames', 'size', 'repeats')},
        'versions': {
            'torch': torch.__version__,
            'mmaction2': version('mmaction2'),
            'python': platform.python_version(),
        },
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
