"""Contrastive loss forwards and backwards: extra peak memory and time of ours beside two peers, on the same inputs.

    python benchmarks/unicl_loss.py --threads 1 --json unicl_loss.json
    python benchmarks/unicl_loss.py --pairs 2048 16384
    python benchmarks/unicl_loss.py --device cuda --dtype bfloat16 --width 1024 --pairs 24576 65536 262144

Ours is `UniCLLoss` as `impl='auto'` picks it. Peers: `clip_loss` = open_clip's ClipLoss; `soft_ce` = the dense multi-positive
loss, written from the pseudo-code of the UniCL paper (arXiv 2204.03610, its release has none); on CUDA also `inf_cl`'s where it
is installed. Beside them `ours_dense`, and on CPU `ours_mkl`, ours without oneDNN's products: what is left is due to the rest.
All labels differ, so that all compute the same loss (checked).

`memory_ratio` and `time_ratio` are the peer's figure over ours: above 1, ours is smaller or faster. Extra memory is what a step
adds at its peak to the inputs, less the gradients it leaves behind: on CPU the resident set (the kernel's high-water mark, read
in a fresh process for each contestant after a small step and a trim of the heap), which includes the libraries' scratch memory;
on CUDA what torch allocates. `ms` are medians of runs that take turns, `min_ms` minima, which other work on the machine disturbs
least. A contestant that runs out of GPU memory has null figures.
"""

import argparse
import ctypes
import gc
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss
from reporting import hardware, publish, resident_mb
from torch import Tensor

from florence.models.losses import UniCLLoss

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
PEERS = ('clip_loss', 'soft_ce', 'inf_cl')


def soft_ce(image: Tensor, text: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """UniCL's loss with a dense matrix of targets."""
    targets = (labels[:, None] == labels).to(torch.float32)

    def one_direction(logits: Tensor) -> Tensor:
        return (-(targets * logits.log_softmax(1)).sum(1) / targets.sum(1)).mean()

    logits = scale * image @ text.t()
    return (one_direction(logits) + one_direction(logits.t())) / 2


def without_onednn(image: Tensor, text: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """Ours with MKL's products; its backward runs inside `step`, which switches oneDNN on again."""
    torch._C._set_mkldnn_enabled(False)
    return UniCLLoss()(image, text, labels, scale)


def contestants(device: str) -> dict[str, Loss]:
    clip_loss = ClipLoss()
    result: dict[str, Loss] = {
        'ours': UniCLLoss(),
        'clip_loss': lambda image, text, labels, scale: clip_loss(image, text, scale),
        'soft_ce': soft_ce,
        'ours_dense': UniCLLoss(impl='dense'),
    }
    if device == 'cpu':
        result['ours_mkl'] = without_onednn
    elif importlib.util.find_spec('inf_cl'):
        from inf_cl import cal_inf_loss

        result['inf_cl'] = lambda image, text, labels, scale: cal_inf_loss(image, text, scale=scale)
    return result


def inputs(num: int, args: argparse.Namespace) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Noisy pairs at CLIP's initial logit scale."""
    torch.manual_seed(0)
    image = F.normalize(torch.randn(num, args.width), dim=1)
    text = F.normalize(image + torch.randn(num, args.width) / args.width**0.5, dim=1)
    image, text = (embeds.to(args.device, getattr(torch, args.dtype)).requires_grad_() for embeds in (image, text))
    scale = torch.tensor(1 / 0.07, device=args.device, requires_grad=True)
    return image, text, torch.arange(num, device=args.device), scale


def step(loss: Loss, tensors: tuple[Tensor, Tensor, Tensor, Tensor]) -> float:
    """One forward and backward pass; the loss."""
    image, text, _, scale = tensors
    image.grad = text.grad = scale.grad = None
    try:
        value = loss(*tensors)
        value.backward()
    finally:
        torch._C._set_mkldnn_enabled(True)
    if image.is_cuda:
        torch.cuda.synchronize()
    return value.item()


def extra_memory(loss: Loss, num: int, args: argparse.Namespace) -> int:
    """Bytes at the peak of one step beyond the inputs and the gradients that the step leaves behind."""
    step(loss, inputs(600, args))  # loads kernels
    tensors = inputs(num, args)
    gc.collect()
    if args.device == 'cpu':
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator kept would hide as much of the step's need
        Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
        before = int(resident_mb('VmRSS') * 2**20)
        step(loss, tensors)
        peak = int(resident_mb('VmHWM') * 2**20)
    else:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(loss, tensors)
        peak = torch.cuda.max_memory_allocated()
    gradients = sum(tensor.grad.nbytes for tensor in tensors if tensor.grad is not None)
    return peak - before - gradients


def memory_in_fresh_process(name: str, num: int, args: argparse.Namespace) -> int | None:
    options = {'--memory-of': name, '--pairs': num, '--width': args.width, '--threads': args.threads}
    options |= {'--device': args.device, '--dtype': args.dtype}
    command = [sys.executable, __file__, *(str(word) for option in options.items() for word in option)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def measure(num: int, args: argparse.Namespace) -> dict[str, dict]:
    """Figures of all contestants for one number of pairs."""
    tensors, losses = inputs(num, args), contestants(args.device)
    values, times = {}, {name: [] for name in losses}
    for name, loss in losses.items():
        try:
            values[name] = step(loss, tensors)
        except torch.OutOfMemoryError:
            del times[name]
    tolerance = 1e-5 if args.dtype == 'float32' else 0.02
    if any(abs(value - values['ours']) > tolerance * values['ours'] for value in values.values()):
        raise SystemExit(f'error: the losses differ, the comparison is void: {values}')
    for _ in range(args.repeats):
        for name in times:
            start = time.perf_counter()
            step(losses[name], tensors)
            times[name].append(1000 * (time.perf_counter() - start))
    del tensors
    result = {}
    for name in losses:
        median, least = (round(of(times[name]), 1) if name in times else None for of in (statistics.median, min))
        extra = memory_in_fresh_process(name, num, args) if name in times else None
        result[name] = {'ms': median, 'min_ms': least, 'extra_mb': extra and round(extra / 1e6, 1)}
    return result


def ratios(figures: dict[str, dict], key: str) -> dict[str, float | None]:
    return {peer: figures[peer][key] and round(figures[peer][key] / figures['ours'][key], 2) for peer in PEERS if peer in figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pairs', type=int, nargs='+', default=[2048, 4096, 8192])
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dtype', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        try:
            print(extra_memory(contestants(args.device)[args.memory_of], args.pairs[0], args))
        except torch.OutOfMemoryError:
            print('null')
        return
    cases = {num: measure(num, args) for num in args.pairs}
    last = cases[args.pairs[-1]]
    report = {
        'benchmark': 'unicl_loss',
        'memory_ratio': ratios(last, 'extra_mb'),
        'time_ratio': ratios(last, 'ms'),
        'pairs': {
            str(num): {'memory_ratio': ratios(case, 'extra_mb'), 'time_ratio': ratios(case, 'ms'), **case}
            for num, case in cases.items()
        },
        **{key: getattr(args, key) for key in ('width', 'threads', 'repeats', 'device', 'dtype')},
        'versions': {
            'torch': torch.__version__,
            'open_clip': open_clip.__version__,
            'python': platform.python_version(),
        },
        'hardware': hardware(args.device),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
