"""Training step (forward, backward) of our Swin-T against timm's: same weights, inputs, precision, threads.

    python benchmarks/coswin_vs_timm_swin.py --threads 2 --batch 4 --json coswin.json

Cases: `whole` = image to the normed feature map, `CoSwin(embed='patch')` against timm's Swin without head;
`stages` = blocks and merges only, from the stem's map; `whole_mkl` = `whole` with oneDNN, and so our linear
layers' fast path, switched off: what is left is due to the rest. `ratio` is peer time over our time for
`whole`: above 1, ours is faster. Runs are interleaved; `ms` are medians, `min_ms` minima, which other work on
the machine disturbs least.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from reporting import hardware, publish
from torch import Tensor, nn

from florence.models.backbones.coswin import CoSwin
from florence.models.converters.swin import swin_to_florence

Step = Callable[[], Tensor]


def build(device: str, dtype: torch.dtype) -> tuple[CoSwin, nn.Module]:
    """Ours and timm's with the same weights, in training mode, without drop path."""
    peer = timm.create_model('swin_tiny_patch4_window7_224', num_classes=0, drop_path_rate=0.0)
    ours = CoSwin('tiny', embed='patch', drop_path_rate=0.0)
    ours.load_state_dict(swin_to_florence(peer.state_dict()), strict=True)
    return ours.to(device, dtype).train(), peer.to(device, dtype).train()


def training_step(model: nn.Module, forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Step:
    """A step that returns the `(B, H, W, C)` output; its loss is a fixed weighting of the channels."""

    def step() -> Tensor:
        model.zero_grad(set_to_none=True)
        output = forward(inputs)
        (output * torch.linspace(-1, 1, output.shape[-1], device=output.device)).sum().backward()
        return output.detach()

    return step


def cases(device: str, dtype: torch.dtype, batch: int) -> dict[str, tuple[Step, Step]]:
    ours, peer = build(device, dtype)
    images = torch.randn(batch, 3, 224, 224, device=device, dtype=dtype)
    tokens = torch.randn(batch, 56, 56, 96, device=device, dtype=dtype)

    def our_stages(x: Tensor) -> Tensor:
        for index, stage in enumerate(ours.stages):
            x = stage.embed(x) if index else x
            for block in stage.blocks:
                x = block(x)
        return x

    whole = training_step(ours, lambda x: ours(x)[0].permute(0, 2, 3, 1), images)

    def whole_without_onednn() -> Tensor:
        enabled = torch.backends.mkldnn.enabled
        torch._C._set_mkldnn_enabled(False)
        try:
            return whole()
        finally:
            torch._C._set_mkldnn_enabled(enabled)

    peer_whole = training_step(peer, peer.forward_features, images)
    result = {
        'whole': (whole, peer_whole),
        'stages': (training_step(ours, our_stages, tokens), training_step(peer, peer.layers, tokens)),
    }
    return result | {'whole_mkl': (whole_without_onednn, peer_whole)} if device == 'cpu' else result


def measure(ours: Step, peer: Step, repeats: int, tolerance: float) -> dict[str, float]:
    """Times of both, one after the other in turn, after a check that they compute the same."""
    expected = peer()
    error = ((ours() - expected).abs().max() / expected.abs().max()).item()
    if error > tolerance:
        raise SystemExit(f'error: outputs differ by {error:.1e} of the largest value, the comparison is void')
    times: dict[str, list[float]] = {'ours': [], 'peer': []}
    for _ in range(repeats):
        for name, step in (('ours', ours), ('peer', peer)):
            start = time.perf_counter()
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[name].append(1000 * (time.perf_counter() - start))
    ours_ms, peer_ms = (statistics.median(times[name]) for name in ('ours', 'peer'))
    ours_min, peer_min = min(times['ours']), min(times['peer'])
    return {
        'ratio': round(peer_ms / ours_ms, 3),
        'ours_ms': round(ours_ms, 1),
        'peer_ms': round(peer_ms, 1),
        'min_ratio': round(peer_min / ours_min, 3),
        'ours_min_ms': round(ours_min, 1),
        'peer_min_ms': round(peer_min, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--repeats', type=int, default=9)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dtype', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    tolerance = 1e-5 if args.dtype == 'float32' else 0.1
    results = {
        name: measure(ours, peer, args.repeats, tolerance)
        for name, (ours, peer) in cases(args.device, getattr(torch, args.dtype), args.batch).items()
    }
    report = {
        'benchmark': 'coswin_vs_timm_swin',
        **{key: results['whole'][key] for key in ('ratio', 'ours_ms', 'peer_ms')},
        'cases': results,
        'threads': args.threads,
        'batch': args.batch,
        'repeats': args.repeats,
        'dtype': args.dtype,
        'versions': {
            'torch': torch.__version__,
            'timm': timm.__version__,
            'python': platform.python_version(),
        },
        'hardware': hardware(args.device),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
