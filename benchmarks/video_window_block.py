"""Forward pass of one block of windows in space and time: ours beside mmaction2's and torchvision's, same weights, same map.

    python benchmarks/video_window_block.py --threads 1 --json benchmarks/reports/video_window_block_1thread.json
    python benchmarks/video_window_block.py --threads 2 --windows 2,7,7 --repeats 3

Blocks are those of a clip of 16 frames of 224 px: the third stage of a Swin-B (512 channels, 8 x 14 x 14 tokens), and of 112
px: the first of a Swin-T (96 channels, 8 x 28 x 28); each plain and shifted. The script stops where outputs differ by more than
1e-5 of the largest. mmaction2's mask is made outside, as its tower does; torchvision makes its own in every pass.

`ratio` is the peer's time over ours: above 1, ours is faster; at the top, the lowest of all cases and peers. Contestants take
turns; `ms` are medians, `min_ms` minima.
"""

import argparse
import itertools
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
import torchvision
from reporting import hardware, publish
from torch import Tensor

import florence  # noqa: F401  (first: it mends mmaction2)
from florence.layers import WindowAttention3d
from florence.models.backbones.coswin_block import CoSwinBlock

Window = tuple[int, int, int]
MAPS = {512: (16, (8, 14, 14)), 96: (3, (8, 28, 28))}
"""Heads and map of each width."""
TOLERANCE = 1e-5


def contestants(dims: int, window: Window, shifted: bool) -> dict[str, Callable[[Tensor], Tensor]]:
    """Blocks with the same weights, in evaluation mode, without drop path."""
    from mmaction.models.backbones.swin import SwinTransformerBlock3D, compute_mask, get_window_size
    from torchvision.models.swin_transformer import SwinTransformerBlock
    from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d

    heads, size = MAPS[dims]
    shift = tuple(side // 2 if shifted else 0 for side in window)
    ours = CoSwinBlock(WindowAttention3d(dims, heads, window, shifted=shifted), dims, 4.0, 0.0, 0.0).eval()
    mmaction = SwinTransformerBlock3D(dims, heads, window, shift, drop_path=0.0)
    tv = SwinTransformerBlock(dims, heads, list(window), list(shift), attn_layer=ShiftedWindowAttention3d)
    weights = ours.state_dict()
    mmaction.load_state_dict(mmaction.state_dict() | weights)
    renamed = {key.replace('mlp.fc1', 'mlp.0').replace('mlp.fc2', 'mlp.3'): value for key, value in weights.items()}
    tv.load_state_dict(tv.state_dict() | renamed)
    mmaction.eval()
    tv.eval()
    mask = compute_mask(*size, *get_window_size(size, window, shift), torch.device('cpu'))
    return {'ours': ours, 'mmaction2': lambda x: mmaction(x, mask), 'torchvision': tv}


def measure(dims: int, window: Window, shifted: bool, batch: int, repeats: int) -> dict:
    blocks = contestants(dims, window, shifted)
    x = torch.randn(batch, *MAPS[dims][1], dims)
    outputs = {name: block(x) for name, block in blocks.items()}  # warm
    result: dict = {}
    for peer in ('mmaction2', 'torchvision'):
        error = float((outputs['ours'] - outputs[peer]).abs().max() / outputs[peer].abs().max())
        if error > TOLERANCE:
            raise SystemExit(f'error: our output differs from that of {peer} by {error:.1e}, the comparison is void')
        result[f'max_difference_{peer}'] = error
    times: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(repeats):
        for name, block in blocks.items():
            start = time.perf_counter()
            block(x)
            times[name].append(1000 * (time.perf_counter() - start))
    for name, runs in times.items():
        result[name] = {'ms': round(statistics.median(runs), 2), 'min_ms': round(min(runs), 2)}
    for peer in ('mmaction2', 'torchvision'):
        result[f'ratio_{peer}'] = round(result[peer]['ms'] / result['ours']['ms'], 2)
        result[f'min_ratio_{peer}'] = round(result[peer]['min_ms'] / result['ours']['min_ms'], 2)
    return result


def window(text: str) -> Window:
    steps, rows, cols = (int(side) for side in text.split(','))
    return steps, rows, cols


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=15)
    parser.add_argument('--dims', type=int, nargs='+', choices=MAPS, default=list(MAPS))
    parser.add_argument('--windows', type=window, nargs='+', default=[(8, 7, 7)], metavar='STEPS,ROWS,COLUMNS')
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cases = {}
    with torch.inference_mode():
        for dims, sides, shifted in itertools.product(args.dims, args.windows, (False, True)):
            name = f'{dims} channels, window {"x".join(map(str, sides))}, {"shifted" if shifted else "plain"}'
            cases[name] = measure(dims, sides, shifted, args.batch, args.repeats)
    report = {
        'benchmark': 'video_window_block',
        'ratio': min(case[f'ratio_{peer}'] for case in cases.values() for peer in ('mmaction2', 'torchvision')),
        'cases': cases,
        **{key: getattr(args, key) for key in ('threads', 'batch', 'repeats')},
        'versions': {
            'torch': torch.__version__,
            'torchvision': torchvision.__version__,
            'mmaction2': version('mmaction2'),
            'python': platform.python_version(),
        },
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
