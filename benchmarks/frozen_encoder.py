"""Training Dynamic Head alone, behind a frozen encoder, beside training the whole detector.

    python benchmarks/frozen_encoder.py --json benchmarks/reports/frozen_encoder.json

One detector, ATSS with Dynamic Head on CoSwin with FPN, the same weights and images, one step of AdamW each:

    full          everything is trained: what a detector's config does by default
    frozen        `FrozenBackbone`: no graph through the encoder
    frozen_cached the same with its features on disk from an earlier epoch

`images_per_second_ratio` and `memory_ratio` compare `frozen` with `full`. Steps are interleaved; `seconds` are medians.
`extra_mb` is the growth of resident memory to its peak in one step, in a fresh process after the optimizer's state is there
(Linux only): activations, gradients and scratch memory, without weights and optimizer state.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from reporting import hardware, publish, resident_mb
from torch import Tensor, nn

import florence  # noqa: F401  (first: it mends mmcv and mmdet for current versions)
from florence.registry import MODELS

CONFIG = Path(__file__).resolve().parents[1] / 'configs/_base_/models/atss-dyhead_coswin-t.py'
CONTESTANTS = ('full', 'frozen', 'frozen_cached')


def build(name: str, args: argparse.Namespace, cache: str) -> nn.Module:
    """The detector of a contestant, in training mode."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG).model
    backbone = dict(type='florence.CoSwin', arch=args.arch, out_indices=(1, 2, 3), drop_path_rate=0.0)
    tower = MODELS.build(backbone)
    cfg.neck[0].in_channels = tower.out_channels
    cfg.neck[1].num_blocks = args.blocks
    if name == 'full':
        cfg.backbone = backbone
    else:
        kept = dict(folder=cache) if name == 'frozen_cached' else None
        cfg.backbone = dict(type='florence.FrozenBackbone', backbone=backbone, cache=kept)
    model = MODELS.build(dict(cfg, _scope_='mmdet'))
    model.backbone.load_state_dict(tower.state_dict())
    return model.train()


def batch(args: argparse.Namespace) -> tuple[Tensor, list]:
    """Images and ten boxes each."""
    from mmdet.structures import DetDataSample

    torch.manual_seed(1)
    size = (args.height, args.width)
    samples = []
    for _ in range(args.batch):
        corners = torch.rand(10, 2) * torch.tensor([args.width - 64.0, args.height - 64.0])
        instances = InstanceData(bboxes=torch.cat([corners, corners + 64], 1), labels=torch.randint(80, (10,)))
        shapes = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), size)
        samples.append(DetDataSample(metainfo=dict(shapes, scale_factor=(1.0, 1.0)), gt_instances=instances))
    return torch.randn(args.batch, 3, *size), samples


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, samples: list) -> None:
    """One step on the sum of the losses."""
    losses = model(images, samples, mode='loss')
    sum(sum(value) if isinstance(value, list) else value for value in losses.values()).backward()
    optimizer.step()
    optimizer.zero_grad()


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW of what is trained; a rate of zero keeps the contestants' weights equal."""
    return torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.0, weight_decay=0.0)


def print_memory(name: str, args: argparse.Namespace, cache: str) -> None:
    """What `extra_memory` reads: a first step on a small image makes the optimizer's state."""
    model = build(name, args, cache)
    optimizer = optimizer_of(model)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    optimizer.step()
    optimizer.zero_grad()
    images, samples = batch(args)
    before = resident_mb('VmRSS')
    train_step(model, optimizer, images, samples)
    print(resident_mb('VmHWM') - before)


def extra_memory(name: str, cache: str) -> float:
    """Growth of resident memory in one step, MB, measured by this script in a fresh process."""
    command = [sys.executable, __file__, *sys.argv[1:], '--memory-of', name, '--cache', cache]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f'error: the memory of {name} could not be measured: {run.stderr[-500:]}')
    return float(run.stdout.splitlines()[-1])


def measure(args: argparse.Namespace, cache: str) -> dict[str, dict[str, float]]:
    """Seconds a step of each contestant, interleaved after a warm-up, then their memory."""
    images, samples = batch(args)
    models = {name: build(name, args, cache) for name in CONTESTANTS}
    optimizers = {name: optimizer_of(model) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for repeat in range(args.repeats + 1):
        for name in CONTESTANTS:
            start = time.perf_counter()
            train_step(models[name], optimizers[name], images, samples)
            if repeat:
                times[name].append(time.perf_counter() - start)
    del models, optimizers
    return {
        name: {'seconds': round(statistics.median(values), 3), 'extra_mb': round(extra_memory(name, cache), 1)}
        for name, values in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--arch', default='base', help='CoSwin arch')
    parser.add_argument('--blocks', type=int, default=6, help='Dynamic Head blocks')
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--height', type=int, default=512)
    parser.add_argument('--width', type=int, default=512)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    parser.add_argument('--cache', help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    DefaultScope.get_instance('benchmark', scope_name='mmdet')
    if args.memory_of:
        print_memory(args.memory_of, args, args.cache)
        return
    with tempfile.TemporaryDirectory() as cache:
        results = measure(args, cache)
    full = results['full']
    ratios = {
        name: {
            'images_per_second_ratio': round(full['seconds'] / result['seconds'], 2),
            'memory_ratio': round(result['extra_mb'] / full['extra_mb'], 3),
        }
        for name, result in results.items()
    }
    report = {
        'benchmark': 'frozen_encoder',
        'ratio': ratios['frozen']['images_per_second_ratio'],
        'memory_ratio': ratios['frozen']['memory_ratio'],
        'cases': {name: result | ratios[name] for name, result in results.items()},
        **{key: getattr(args, key) for key in ('threads', 'arch', 'blocks', 'batch', 'height', 'width', 'repeats')},
        'versions': {'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
