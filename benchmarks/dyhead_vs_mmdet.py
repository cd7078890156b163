"""Dynamic Head forwards, and forwards and backwards: ours beside mmdet's neck, same weights and same pyramid.

    python benchmarks/dyhead_vs_mmdet.py --json benchmarks/reports/dyhead_vs_mmdet_2threads.json
    python benchmarks/dyhead_vs_mmdet.py --image 320 512 --blocks 2 --repeats 5

The peer is mmdet's `DyHead` on torchvision's compiled deformable convolution, to which `florence` leads mmcv's. `ours` is the
default, `official` computes what the peer does: `max_difference` compares their outputs relative to the largest one, and the
script stops where it is above 1e-4; `upsample_first` is the paper's order.

`ratio` is the peer's time over ours: above 1, ours is faster. Contestants take turns; `ms` are medians, `min_ms` minima, `cpu_ms`
medians of the CPU time of all threads, which with one thread other work on the machine disturbs less. `extra_mb` is what a pass
adds to the resident set at its peak, measured in a fresh process for each contestant.
"""

import argparse
import ctypes
import gc
import itertools
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torchvision
from mmengine.model import BaseModule
from reporting import hardware, publish, resident_mb
from torch import Tensor, nn

import florence  # noqa: F401  (first: it mends mmcv)
from florence.models.converters.dyhead import dyhead_to_florence
from florence.models.heads import DyHead

STRIDES = (8, 16, 32, 64, 128)
CONTESTANTS = ('ours', 'official', 'upsample_first', 'mmdet')
MODES = {'ours': 'interp', 'official': 'official', 'upsample_first': 'upsample_first'}
PASSES = ('forward', 'step')
TOLERANCE = 1e-4


def build(args: argparse.Namespace, names: Sequence[str]) -> dict[str, nn.Module]:
    """Contestants with the same weights; offsets are about half a pixel."""
    from mmdet.models.necks import DyHead as Peer

    torch.manual_seed(0)
    peer: BaseModule = Peer(args.width, args.width, num_blocks=args.blocks)
    for block in peer.dyhead_blocks:
        nn.init.normal_(block.spatial_conv_offset.weight, std=0.01)
    weights = dyhead_to_florence(peer.state_dict())
    heads: dict[str, nn.Module] = {'mmdet': peer}
    for name, mode in MODES.items():
        heads[name] = DyHead(args.width, args.width, args.blocks, offset_mode=mode, dcn_bias=False)
        heads[name].load_state_dict(weights)
    return {name: heads[name] for name in names}


def pyramid(args: argparse.Namespace) -> list[Tensor]:
    """P3 to P7 as an FPN gives them to a peer: contiguous."""
    torch.manual_seed(1)
    sizes = [[-(-side // stride) for side in args.image] for stride in STRIDES]
    return [torch.randn(args.batch, args.width, *size).requires_grad_() for size in sizes]


def run(head: nn.Module, levels: list[Tensor], part: str) -> list[Tensor]:
    """One pass; 'step' is forwards and backwards."""
    if part == 'forward':
        with torch.no_grad():
            return list(head(levels))
    head.zero_grad()
    outputs = list(head(levels))
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
    return outputs


def milliseconds(head: nn.Module, levels: list[Tensor], part: str) -> tuple[float, float]:
    """By the clock, and of CPU time."""
    start, cpu_start = time.perf_counter(), time.process_time()
    run(head, levels, part)
    return 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - cpu_start)


def max_difference(heads: dict[str, nn.Module], levels: list[Tensor]) -> float:
    pairs = zip(run(heads['official'], levels, 'forward'), run(heads['mmdet'], levels, 'forward'), strict=True)
    return max(float((ours - peer).abs().max() / peer.abs().max()) for ours, peer in pairs)


def extra_memory(name: str, part: str, args: argparse.Namespace) -> float:
    """Megabytes that one pass adds at its peak to weights and inputs."""
    head, levels = build(args, [name])[name], pyramid(args)
    run(head, pyramid(argparse.Namespace(**vars(args) | {'image': [128, 256]})), part)  # loads kernels
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator kept would hide as much of the pass's need
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = resident_mb('VmRSS')
    run(head, levels, part)
    return resident_mb('VmHWM') - before


def memory_in_fresh_process(name: str, part: str, args: argparse.Namespace) -> float:
    options = {'--memory-of': name, '--part': part, '--blocks': args.blocks, '--width': args.width, '--batch': args.batch}
    options |= {'--threads': args.threads}
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, __file__, *words, '--image', *map(str, args.image)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def measure(args: argparse.Namespace) -> dict:
    heads, levels = build(args, CONTESTANTS), pyramid(args)
    difference = max_difference(heads, levels)
    if difference > TOLERANCE:
        raise SystemExit(f'error: official mode differs from mmdet by {difference}, the comparison is void')
    for name, part in itertools.product(MODES, args.passes):
        run(heads[name], levels, part)  # warm; what the peer's first run costs is lost in its time
    times = {(name, part): [] for part in args.passes for name in CONTESTANTS}
    for _ in range(args.repeats):
        for (name, part), runs in times.items():
            runs.append(milliseconds(heads[name], levels, part))
    result = {'max_difference': difference}
    for part in args.passes:
        figures = {}
        for name in CONTESTANTS:
            wall, cpu = zip(*times[name, part], strict=True)
            summary = {'ms': statistics.median(wall), 'min_ms': min(wall), 'cpu_ms': statistics.median(cpu)}
            summary['extra_mb'] = memory_in_fresh_process(name, part, args)
            figures[name] = {key: round(value, 1) for key, value in summary.items()}
        peer = figures['mmdet']
        for key in ('ms', 'cpu_ms', 'extra_mb'):
            figures[f'{key}_ratio'] = {name: round(peer[key] / figures[name][key], 2) for name in MODES}
        result[part] = figures
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--image', type=int, nargs=2, default=[800, 1344], metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--blocks', type=int, default=6)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--passes', choices=PASSES, nargs='+', default=PASSES, help='what is timed')
    parser.add_argument('--memory-of', choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument('--part', choices=PASSES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(extra_memory(args.memory_of, args.part, args))
        return
    result = measure(args)
    report = {
        'benchmark': 'dyhead_vs_mmdet',
        'ratio': {part: result[part]['ms_ratio']['ours'] for part in args.passes},
        **result,
        **{key: getattr(args, key) for key in ('image', 'width', 'blocks', 'batch', 'threads', 'repeats')},
        'versions': {
            'torch': torch.__version__,
            'torchvision': torchvision.__version__,
            'python': platform.python_version(),
        },
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
