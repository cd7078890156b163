"""The metric of text-video retrieval, 10,000 videos with a caption each: ours beside mmaction2's `RetrievalMetric`.

    python benchmarks/video_retrieval_metric.py --json benchmarks/reports/video_retrieval_metric.json
    python benchmarks/video_retrieval_metric.py --videos 1000

Both take the samples of an evaluation, embeddings in batches, and give R@1, 5 and 10 and the median and mean rank; ours of both
directions, mmaction2's of text to video alone. Their figures of that direction must be equal, else the script ends with an error;
of the scores none tie. `seconds` are minima over the repeats, in turns: CPU time with one thread, else wall time. `extra_mb` is
the growth of resident memory to its peak in one run, in a fresh process after a small one (Linux only).
"""

import argparse
import ctypes
import gc
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from reporting import hardware, publish, resident_mb
from torch import Tensor

from florence.evaluation.metrics import VideoTextRetrieval

NAMES = {'R1': 't2v_R@1', 'R5': 't2v_R@5', 'R10': 't2v_R@10', 'MdR': 't2v_MdR', 'MnR': 't2v_MnR'}
BATCH = 64


def inputs(num_videos: int, width: int) -> tuple[Tensor, Tensor]:
    """Captions are noisy copies of their videos: neither all right nor all wrong."""
    torch.manual_seed(0)
    videos = F.normalize(torch.randn(num_videos, width), dim=1)
    return videos, F.normalize(0.25 * videos + torch.randn(num_videos, width) / width**0.5, dim=1)


def ours_samples(videos: Tensor, texts: Tensor) -> list[dict]:
    named = [{'sample_id': str(index), 'captions': (f'caption {index}',)} for index in range(len(videos))]
    rows = zip(named, videos, texts.unsqueeze(1), strict=True)
    return [{**names, 'image_embeds': video, 'text_embeds': text} for names, video, text in rows]


def mmaction2_samples(videos: Tensor, texts: Tensor) -> list[dict]:
    return [{'features': {'video_feature': v, 'text_feature': t}} for v, t in zip(videos, texts, strict=True)]


def ours() -> BaseMetric:
    return VideoTextRetrieval()


def mmaction2() -> BaseMetric:
    from mmaction.evaluation.metrics import RetrievalMetric

    return RetrievalMetric()


CONTESTANTS = {'ours': (ours, ours_samples), 'mmaction2': (mmaction2, mmaction2_samples)}


def figures_of(metric: BaseMetric, samples: list[dict]) -> dict[str, float]:
    """What an evaluation does with a metric: samples in batches, then the figures."""
    for start in range(0, len(samples), BATCH):
        metric.process(None, samples[start : start + BATCH])
    found = metric.compute_metrics(metric.results)
    return {NAMES.get(name, name): float(value) for name, value in found.items()}


def run(name: str, videos: Tensor, texts: Tensor) -> dict[str, float]:
    build, samples = CONTESTANTS[name]
    return figures_of(build(), samples(videos, texts))


def extra_memory(name: str, args: argparse.Namespace) -> float:
    """MB at the peak of one run beyond the embeddings."""
    run(name, *inputs(200, args.width))  # loads kernels
    build, make_samples = CONTESTANTS[name]
    samples = make_samples(*inputs(args.videos, args.width))
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator kept would hide as much of the run's need
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = resident_mb('VmRSS')
    figures_of(build(), samples)
    return resident_mb('VmHWM') - before


def memory_in_fresh_process(name: str, args: argparse.Namespace) -> float:
    command = [sys.executable, __file__, '--memory-of', name, '--videos', str(args.videos), '--width', str(args.width)]
    done = subprocess.run([*command, '--threads', str(args.threads)], stdout=subprocess.PIPE, text=True, check=True)
    return round(float(done.stdout.splitlines()[-1]), 1)


def measure(args: argparse.Namespace) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Seconds and memory of each, and the figures that both give."""
    tensors = inputs(args.videos, args.width)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    figures: dict[str, dict[str, float]] = {}
    for name in CONTESTANTS:
        run(name, *inputs(200, args.width))
    for _ in range(args.repeats):
        for name, (build, make_samples) in CONTESTANTS.items():
            samples = make_samples(*tensors)
            start = clock()
            figures[name] = figures_of(build(), samples)
            seconds[name].append(clock() - start)
    if any(abs(figures['ours'][key] - value) > 1e-4 for key, value in figures['mmaction2'].items()):
        raise SystemExit(f'error: the figures differ, the comparison is void: {figures}')
    costs = {
        name: {'seconds': round(min(own), 3), 'extra_mb': memory_in_fresh_process(name, args)} for name, own in seconds.items()
    }
    return costs, figures['ours']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--videos', type=int, default=10_000)
    parser.add_argument('--width', type=int, default=512)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', choices=tuple(CONTESTANTS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(extra_memory(args.memory_of, args))
        return
    costs, figures = measure(args)
    report = {
        'benchmark': 'video_retrieval_metric',
        'time_ratio': round(costs['mmaction2']['seconds'] / costs['ours']['seconds'], 2),
        'memory_share': round(costs['ours']['extra_mb'] / costs['mmaction2']['extra_mb'], 4),
        **costs,
        'figures': {name: round(value, 3) for name, value in figures.items()},
        **{key: getattr(args, key) for key in ('videos', 'width', 'threads', 'repeats')},
        'versions': {'torch': torch.__version__, 'numpy': np.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
