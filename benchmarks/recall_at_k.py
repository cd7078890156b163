"""Recall@K of a retrieval set of COCO's size, 5,000 images with five captions each: ours beside three peers, same embeddings.

    python benchmarks/recall_at_k.py --json benchmarks/reports/recall_at_k.json
    python benchmarks/recall_at_k.py --images 1000

Contestants, all with R@1, 5 and 10 in both directions:

    ours            `retrieval_ranks` from embeddings, `score_ranks` from the score matrix
    albef_loop      the evaluation loop of ALBEF and LAVIS: argsort of each query, a search for each of its positives
    argsort         argsort of each query and one look-up of the first positive
    clip_benchmark  CLIP_benchmark's `recall_at_k`: top-k, one-hot of the indices, product with a dense matrix of positives, for
                    each k, in batches of 64 queries

`end_to_end` starts from embeddings: the peers then compute a float32 matrix product, ours does not keep the matrix; ours, whose
ties are exact, computes scores near the best positive again in float64. `metrics_only` starts from the score matrix. Ratios are
the peer's time over ours: above 1, ours is faster. All must report the same recall, else the script ends with an error; of the
peers' scores none may tie. `seconds` are minima over the repeats, CPU time with one thread, in turns. `extra_mb` is the growth of
resident memory to its peak in one run, in a fresh process after a small one (Linux only): end to end, for the peers with their
matrix.
"""

import argparse
import ctypes
import gc
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from reporting import hardware, publish, resident_mb
from torch import Tensor

from florence.evaluation.functional import RetrievalRanks, recall_at_k, retrieval_ranks, score_ranks

KS = (1, 5, 10)
CAPTIONS = 5
Recalls = list[float]


def inputs(num_images: int, width: int) -> tuple[Tensor, Tensor, list[tuple[str, ...]]]:
    """Captions are noisy copies of their images: neither all right nor all wrong."""
    torch.manual_seed(0)
    images = F.normalize(torch.randn(num_images, width), dim=1)
    noise = torch.randn(CAPTIONS * num_images, width) / width**0.5
    texts = F.normalize(0.25 * images.repeat_interleave(CAPTIONS, 0) + noise, dim=1)
    return images, texts, [tuple(f'{i}/{j}' for j in range(CAPTIONS)) for i in range(num_images)]


def shares(ranks: RetrievalRanks) -> Recalls:
    return [recall_at_k(own, KS)[k] for own in (ranks.image_to_text, ranks.text_to_image) for k in KS]


def ours(scores: Tensor, captions: list[tuple[str, ...]]) -> Recalls:
    return shares(score_ranks(scores, captions))


def albef_loop(scores: Tensor, captions: list[tuple[str, ...]]) -> Recalls:
    """ALBEF: Retrieval.py, `itm_eval`."""
    i2t, t2i = scores.numpy(), scores.t().numpy()
    ranks = np.zeros(len(i2t))
    for index, score in enumerate(i2t):
        order = np.argsort(score)[::-1]
        rank = 1e20
        for i in range(CAPTIONS * index, CAPTIONS * (index + 1)):
            rank = min(rank, np.where(order == i)[0][0])
        ranks[index] = rank
    other = np.zeros(len(t2i))
    for index, score in enumerate(t2i):
        order = np.argsort(score)[::-1]
        other[index] = np.where(order == index // CAPTIONS)[0][0]
    return [100.0 * len(np.where(own < k)[0]) / len(own) for own in (ranks, other) for k in KS]


def argsort(scores: Tensor, captions: list[tuple[str, ...]]) -> Recalls:
    first = [np.argmax(np.argsort(-row) // CAPTIONS == index) for index, row in enumerate(scores.numpy())]
    other = [np.argmax(np.argsort(-row) == index // CAPTIONS) for index, row in enumerate(scores.t().contiguous().numpy())]
    return [100.0 * float(np.mean(np.array(own) < k)) for own in (first, other) for k in KS]


def clip_benchmark(scores: Tensor, captions: list[tuple[str, ...]]) -> Recalls:
    """CLIP_benchmark: metrics/zeroshot_retrieval.py."""
    positives = torch.zeros(scores.shape, dtype=torch.bool)
    positives[torch.arange(len(scores)).repeat_interleave(CAPTIONS), torch.arange(scores.shape[1])] = True

    def recall(queries: Tensor, own: Tensor, k: int) -> Tensor:
        one_hot = F.one_hot(torch.topk(queries, k, dim=1)[1], num_classes=queries.shape[1])
        return (one_hot * own.view(len(own), 1, -1)).sum(dim=(1, 2)) / own.sum(dim=1)

    recalls = []
    for matrix, right in ((scores, positives), (scores.t(), positives.t().contiguous())):
        for k in KS:
            batches = [recall(a, b, k) for a, b in zip(matrix.split(64), right.split(64), strict=True)]
            recalls.append(100.0 * (torch.cat(batches) > 0).float().mean().item())
    return recalls


FROM_SCORES: dict[str, Callable[[Tensor, list], Recalls]] = {
    'ours': ours,
    'albef_loop': albef_loop,
    'argsort': argsort,
    'clip_benchmark': clip_benchmark,
}


def end_to_end(name: str, images: Tensor, texts: Tensor, captions: list[tuple[str, ...]]) -> Recalls:
    if name == 'ours':
        return shares(retrieval_ranks(images, texts, captions))
    return FROM_SCORES[name](images @ texts.t(), captions)


def extra_memory(name: str, args: argparse.Namespace) -> float:
    """MB at the peak of one run beyond the embeddings."""
    end_to_end(name, *inputs(200, args.width))  # loads kernels
    tensors = inputs(args.images, args.width)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator kept would hide as much of the run's need
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = resident_mb('VmRSS')
    end_to_end(name, *tensors)
    return resident_mb('VmHWM') - before


def memory_in_fresh_process(name: str, args: argparse.Namespace) -> float:
    command = [sys.executable, __file__, '--memory-of', name, '--images', str(args.images), '--width', str(args.width)]
    run = subprocess.run([*command, '--threads', str(args.threads)], stdout=subprocess.PIPE, text=True, check=True)
    return round(float(run.stdout.splitlines()[-1]), 1)


def seconds(run: Callable[[], Recalls], clock: Callable[[], float]) -> tuple[float, Recalls]:
    start = clock()
    recalls = run()
    return clock() - start, recalls


def measure(args: argparse.Namespace) -> dict[str, dict]:
    images, texts, captions = inputs(args.images, args.width)
    scores = images @ texts.t()
    clock = time.process_time if args.threads == 1 else time.perf_counter
    figures: dict[str, dict] = {name: {'metrics_only_s': [], 'end_to_end_s': []} for name in args.contestants}
    recalls: dict[str, Recalls] = {}
    for repeat in range(args.repeats):
        for name in args.contestants:
            if repeat and name == 'clip_benchmark':
                continue  # takes minutes
            taken, recalls[name] = seconds(lambda name=name: FROM_SCORES[name](scores, captions), clock)
            figures[name]['metrics_only_s'].append(taken)
            taken, recalls[f'{name}, end to end'] = seconds(lambda name=name: end_to_end(name, images, texts, captions), clock)
            figures[name]['end_to_end_s'].append(taken)
    if any(abs(a - b) > 1e-4 for own in recalls.values() for a, b in zip(own, recalls['ours'], strict=True)):
        raise SystemExit(f'error: the recalls differ, the comparison is void: {recalls}')
    result = {name: {key: round(min(times), 3) for key, times in own.items()} for name, own in figures.items()}
    for name in args.contestants:
        result[name]['extra_mb'] = memory_in_fresh_process(name, args)
    names = [f'{direction}_R@{k}' for direction in ('i2t', 't2i') for k in KS]
    return {'recall': dict(zip(names, (round(value, 3) for value in recalls['ours']), strict=True)), **result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=5000)
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--contestants', nargs='+', choices=tuple(FROM_SCORES), default=list(FROM_SCORES))
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(extra_memory(args.memory_of, args))
        return
    if 'ours' not in args.contestants:
        raise SystemExit("error: --contestants must hold 'ours', which the others are compared with")
    figures = measure(args)
    peers = [name for name in args.contestants if name != 'ours']

    def ratios(key: str) -> dict[str, float]:
        return {peer: round(figures[peer][key] / figures['ours'][key], 1) for peer in peers}

    report = {
        'benchmark': 'recall_at_k',
        'metrics_only_ratio': ratios('metrics_only_s'),
        'end_to_end_ratio': ratios('end_to_end_s'),
        **figures,
        **{key: getattr(args, key) for key in ('images', 'width', 'threads', 'repeats')},
        'captions': CAPTIONS * args.images,
        'versions': {'torch': torch.__version__, 'numpy': np.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
