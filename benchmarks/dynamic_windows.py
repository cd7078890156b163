"""Memory of windows that grow with the stages beside windows of one size: attention weights computed for the sizes of the paper,
peak memory of a training step measured at a small one.

    python benchmarks/dynamic_windows.py --json benchmarks/reports/dynamic_windows.json
    python benchmarks/dynamic_windows.py --frames 8 --size 64

`computed`: megabytes (2 ** 20) of the attention weights of all blocks of a clip in bfloat16, where they are stored, as plain
code does: tokens x tokens of a window x heads x 2 bytes per block; and those of one block of the first stage, the largest.
`measured`: what the forward and backward pass of a small tower adds to the resident set at its peak, in float32, on windows of
each kind, each in a fresh process: `eager` stores the weights of all windows, `ours` holds those of a few.

`ratio` is the peak on fixed windows over that on dynamic ones, for each way.
"""

import argparse
import json
import math
import platform
import subprocess
import sys
from pathlib import Path

import torch
from reporting import hardware, publish, resident_mb

from florence.layers import window_attention_3d
from florence.layers.window_attention import biased_attention
from florence.models.backbones.coswin_archs import ARCHS
from florence.models.backbones.video_coswin import VideoCoSwin

Windows = list[tuple[int, int, int]]
SMALL: dict[str, Windows] = {'fixed': [(8, 7, 7)] * 4, 'dynamic': [(2, 7, 7), (4, 7, 7), (8, 7, 7), (16, 7, 7)]}
LARGE: dict[str, Windows] = {'fixed': [(8, 12, 12)] * 4, 'dynamic': [(2, 6, 6), (4, 12, 12), (8, 12, 12), (16, 12, 12)]}
COMPUTED = {'base, 32 frames of 224 px': ('base', 224, SMALL), 'large, 32 frames of 384 px': ('large', 384, LARGE)}
WAYS = ('ours', 'eager')
MB = 2**20


def weights_of_stages(arch: str, size: int, windows: Windows, frames: int = 32) -> list[float]:
    """Megabytes of the attention weights of one block of each stage, in bfloat16."""
    result = []
    for stage, (heads, window) in enumerate(zip(ARCHS[arch]['num_heads'], windows, strict=True)):
        side = size // (4 * 2**stage)
        tokens = frames // 2 * side * side
        result.append(2 * tokens * math.prod(window) * heads / MB)
    return result


def computed() -> dict[str, dict]:
    results: dict[str, dict] = {}
    for name, (arch, size, kinds) in COMPUTED.items():
        figures: dict = {}
        for kind, windows in kinds.items():
            stages = weights_of_stages(arch, size, windows)
            whole = sum(depth * stage for depth, stage in zip(ARCHS[arch]['depths'], stages, strict=True))
            figures[kind] = {'all_mb': round(whole), 'first_stage_block_mb': round(stages[0], 1), 'windows': windows}
        for key in ('all_mb', 'first_stage_block_mb'):
            figures[f'{key}_saved'] = round(1 - figures['dynamic'][key] / figures['fixed'][key], 3)
        results[name] = figures
    return results


def peak(args: argparse.Namespace) -> float:
    """Megabytes that a forward and backward pass adds at its peak, in this process."""
    kind, way = args.peak_of
    torch.manual_seed(0)
    if way == 'eager':
        window_attention_3d.chunked_attention = biased_attention
    tower = VideoCoSwin('tiny', window_size=SMALL[kind], drop_path_rate=0.0).train()
    clips = torch.randn(1, 3, args.frames, args.size, args.size)
    tower(clips[..., :32, :32]).square().mean().backward()  # loads kernels, makes the gradients
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = resident_mb('VmRSS')
    tower(clips).square().mean().backward()
    return resident_mb('VmHWM') - before


def measured(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    sizes = [f'--{key}={getattr(args, key)}' for key in ('threads', 'frames', 'size')]
    results: dict[str, dict[str, float]] = {kind: {} for kind in SMALL}
    for kind in SMALL:
        for way in WAYS:
            command = [sys.executable, __file__, '--peak-of', kind, way, *sizes]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            results[kind][f'{way}_mb'] = round(json.loads(output.splitlines()[-1]), 1)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--frames', type=int, default=32)
    parser.add_argument('--size', type=int, default=112)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--peak-of', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.peak_of:
        print(peak(args))
        return
    figures = measured(args)
    report = {
        'benchmark': 'dynamic_windows',
        'ratio': {way: round(figures['fixed'][f'{way}_mb'] / figures['dynamic'][f'{way}_mb'], 2) for way in WAYS},
        'computed': computed(),
        'measured': figures,
        **{key: getattr(args, key) for key in ('threads', 'frames', 'size')},
        'versions': {'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
