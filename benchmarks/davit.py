"""Forward pass of Florence-2's image tower against transformers': same weights, inputs, precision, threads.

    python benchmarks/davit.py --threads 1 --json davit_1thread.json

`ratio` is the peer's time over ours, of the wall clock: above 1, ours is faster. The two run in turn; `ms` are medians, `min_ms`
minima, which other work on the machine disturbs least; `cpu_ms`, on one thread only, medians of the time on the processor. The
peer takes `scaled_dot_product_attention`, its default. Before any time is taken, outputs must agree within 1e-5 of the largest.
"""

import argparse
import platform
import statistics
import time
from pathlib import Path

import torch
import transformers
from reporting import hardware, publish
from torch import Tensor
from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig
from transformers.models.florence2.modeling_florence2 import Florence2VisionBackbone

from florence.models.backbones.davit import DaViT
from florence.models.backbones.davit_archs import ARCHS
from florence.models.converters.davit import davit_to_florence


def build(arch: str) -> tuple[DaViT, Florence2VisionBackbone]:
    """Ours and transformers' with the same weights, for inference."""
    sizes = ARCHS[arch]
    heads = list(sizes['num_heads'])
    config = Florence2VisionConfig(
        embed_dim=list(sizes['embed_dims']),
        depths=list(sizes['depths']),
        num_heads=heads,
        num_groups=heads,
        window_size=sizes['window_size'],
    )
    config._attn_implementation = 'sdpa'
    peer, ours = Florence2VisionBackbone(config).eval(), DaViT(arch).eval()
    ours.load_state_dict(davit_to_florence(peer.state_dict()))
    return ours, peer


@torch.inference_mode()
def measure(ours: DaViT, peer: Florence2VisionBackbone, images: Tensor, repeats: int) -> dict[str, float]:
    """Times of both, one after the other in turn, after a check that they compute the same."""
    steps = {'ours': lambda: ours(images)[0], 'peer': lambda: peer(images).last_hidden_state}
    expected = steps['peer']()
    error = ((steps['ours']() - expected).abs().max() / expected.abs().max()).item()
    if error > 1e-5:
        raise SystemExit(f'error: outputs differ by {error:.1e} of the largest value, the comparison is void')
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            step()
            wall[name].append(1000 * (time.perf_counter() - start))
            cpu[name].append(1000 * (time.process_time() - start_cpu))
    figures = {'error': error}
    for kind, times, summary in (('', wall, statistics.median), ('min_', wall, min), ('cpu_', cpu, statistics.median)):
        if kind != 'cpu_' or torch.get_num_threads() == 1:
            values = {name: summary(times[name]) for name in steps}
            figures[f'{kind}ratio'] = round(values['peer'] / values['ours'], 3)
            figures |= {f'{name}_{kind}ms': round(value, 1) for name, value in values.items()}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arch', choices=('florence2-base', 'florence2-large'), default='florence2-base')
    parser.add_argument('--sizes', type=int, nargs='+', default=(384, 768), help='sides of the images')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    ours, peer = build(args.arch)
    cases = {str(size): measure(ours, peer, torch.randn(args.batch, 3, size, size), args.repeats) for size in args.sizes}
    last = cases[str(args.sizes[-1])]
    report = {
        'benchmark': 'davit',
        **{key: last[key] for key in ('ratio', 'ours_ms', 'peer_ms')},
        'cases': cases,
        'arch': args.arch,
        'threads': args.threads,
        'batch': args.batch,
        'repeats': args.repeats,
        'versions': {
            'torch': torch.__version__,
            'transformers': transformers.__version__,
            'python': platform.python_version(),
        },
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
