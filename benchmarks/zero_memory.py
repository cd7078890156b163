"""Memory of the training state under each strategy, per rank, beside the arithmetic of ZeRO (arXiv 1910.02054, section 3).

    python benchmarks/zero_memory.py --ranks 2 --json benchmarks/reports/zero_memory_2ranks.json

A two-tower model of about 18 million parameters, AdamW in fp32, gloo ranks on this machine, driven by `StrategyRunner` on
digit scenes. What is counted are the bytes that torch's CPU allocator has handed out and not got back since before the model was
built: not resident memory, so that other work on the machine does not matter, and with what only C++ holds, such as the buckets
of DDP. In bytes per parameter, of the rank that has most:

    between    at the start of an iteration: what the rank keeps between steps
    backward   when the backward pass has ended: with the gradients
    peak       the most within an iteration, activations (of 8 small pairs a rank) and temporary copies included

`zero3` has deepspeed's defaults, which give back a gathered parameter only when more than 10^9 of them are at hand; in
`zero3_released` that limit is 10^6. `computed` is the arithmetic for `between`, see `computed_bytes`: gathered parameters and
buckets of ZeRO-3 come on top, of a size that does not depend on the model. `ratio` is `between` of DDP over that of ZeRO-2.
"""

import argparse
import gc
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from mmengine.hooks import Hook
from reporting import hardware, publish

import florence  # first: it mends mmengine
from florence.engine.config_files import load_config
from florence.engine.launch import build_runner, prepare_distributed
from florence.registry import HOOKS

CONFIG = Path(__file__).resolve().parents[1] / 'configs/unicl/unicl_coswin-nano_10min_digits.py'
ITERATIONS = 4
BUCKET = 1_000_000  # elements; deepspeed's default of 5e8 would hide the model
BUCKETS = dict(reduce_bucket_size=BUCKET, allgather_bucket_size=BUCKET)
RELEASED = dict(
    stage3_max_live_parameters=BUCKET,
    stage3_max_reuse_distance=BUCKET,
    stage3_prefetch_bucket_size=BUCKET,
    stage3_param_persistence_threshold=1000,
)


def deepspeed(stage: int, **zero) -> dict:
    """Config of a strategy."""
    return dict(type='DeepSpeedStrategy', stage=stage, config=dict(zero_optimization={**BUCKETS, **zero}))


STRATEGIES = {
    'single': None,
    'ddp': dict(type='DDPStrategy'),
    'zero1': deepspeed(1),
    'zero2': deepspeed(2),
    'zero3': deepspeed(3),
    'zero3_released': deepspeed(3, **RELEASED),
}
IMAGE_ARCH = dict(embed_dims=(64, 128, 256, 512), depths=(1, 1, 2, 1), num_heads=(2, 4, 8, 16), window_size=8)
OPTIONS = {
    'model.text_tower.embed_dims': 384,
    'model.text_tower.num_layers': 6,
    'model.text_tower.num_heads': 6,
    'model.text_tower.mlp_dims': 1536,
    'train_dataloader.batch_size': 8,
    'train_dataloader.num_workers': 0,
    'train_cfg.max_iters': ITERATIONS,
    'train_cfg.val_interval': 10**9,
    'default_hooks.checkpoint.interval': 10**9,
    'default_hooks.checkpoint.save_last': False,
    'default_hooks.throughput.mfu': False,
    'val_dataloader': None,
    'val_cfg': None,
    'val_evaluator': None,
    'log_level': 'ERROR',
}


def computed_bytes(strategy: str, ranks: int) -> float:
    """Bytes per parameter between steps: fp32 weights 4, AdamW's moments 8, of which ZeRO gives each rank a part.

    Gradients (4) are dropped after each step, but ZeRO-3 keeps the buffer of its part. DDP keeps its buckets (4), ZeRO an fp32
    copy of the weights that the rank updates.
    """
    if strategy.startswith('zero3'):
        return (4 + 4 + 8 + 4) / ranks
    whole = {'single': 4 + 8, 'ddp': 4 + 8 + 4, 'zero1': 4, 'zero2': 4}[strategy]
    split = {'zero1': 4 + 8, 'zero2': 4 + 8}.get(strategy, 0)
    return whole + split / ranks


@HOOKS.register_module()
class Marks(Hook):
    """Leaves marks in the profiler's record, which also holds every allocation."""

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        backward = runner.optim_wrapper.backward

        def marked(*args, **kwargs):
            backward(*args, **kwargs)
            mark('backward')

        runner.optim_wrapper.backward = marked

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        gc.collect()  # else tensors in reference cycles count as kept, more or fewer of them in each run
        mark('between')


def mark(name: str) -> None:
    with torch.profiler.record_function(f'mark {name}'):
        pass


def measure(strategy: str, launcher: str) -> dict[str, int]:
    """Bytes on this rank, and the number of parameters."""
    with tempfile.TemporaryDirectory() as folder, torch.profiler.profile(profile_memory=True) as profiler:
        cfg = load_config(str(CONFIG), OPTIONS)
        cfg.work_dir, cfg.model.image_tower.arch = folder, IMAGE_ARCH
        cfg.custom_hooks.append(dict(type='Marks'))
        if STRATEGIES[strategy]:
            cfg.strategy = STRATEGIES[strategy]
        prepare_distributed(cfg, launcher)
        runner = build_runner(cfg)
        runner.train()
    model = getattr(runner.model, 'module', runner.model)
    parameters = sum(getattr(parameter, 'ds_numel', parameter.numel()) for parameter in model.parameters())
    return {**figures(profiler), 'parameters': parameters}


def figures(profiler: torch.profiler.profile) -> dict[str, int]:
    """Bytes held at the marks of the last iteration but one, and at most between them."""
    events = sorted(profiler.profiler.kineto_results.events(), key=lambda event: event.start_ns())
    held = iteration = 0
    found = {'between': 0, 'backward': 0, 'peak': 0}
    for event in events:
        if event.name() == '[memory]':
            held += event.nbytes()
        elif event.name() == 'mark between':
            iteration += 1
        if iteration == ITERATIONS - 1:
            found['peak'] = max(found['peak'], held)
            if event.name().startswith('mark '):
                found[event.name().removeprefix('mark ')] = held
    return found


def run_ranks(strategy: str, ranks: int) -> dict[str, float]:
    """Figures of a strategy in bytes per parameter, of the rank that has most."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    launcher = 'pytorch' if ranks > 1 else 'none'
    common = {**os.environ, 'WORLD_SIZE': str(ranks), 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, '--measure', strategy, launcher],
            env={**common, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    found = []
    for process in processes:
        output, errors = process.communicate()
        if process.returncode:
            for other in processes:
                other.kill()
            raise SystemExit(f'error: {strategy} on {ranks} ranks failed: {errors[-1500:]}')
        found.append(json.loads(output.splitlines()[-1]))
    parameters = found[0].pop('parameters')
    return {key: round(max(rank[key] for rank in found) / parameters, 2) for key in found[0]} | {'parameters': parameters}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ranks', type=int, default=2)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--measure', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        torch.set_num_threads(1)
        print(json.dumps(measure(*args.measure)))
        return
    cases = {}
    for name in STRATEGIES:
        ranks = 1 if name == 'single' else args.ranks
        cases[name] = {**run_ranks(name, ranks), 'computed': computed_bytes(name, ranks)}
    report = {
        'benchmark': 'zero_memory',
        'ratio': round(cases['ddp']['between'] / cases['zero2']['between'], 2),
        'unit': 'bytes per parameter',
        'parameters': cases['single'].pop('parameters'),
        'cases': {name: {key: value for key, value in case.items() if key != 'parameters'} for name, case in cases.items()},
        'ranks': args.ranks,
        'versions': {'florence': florence.__version__, 'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
