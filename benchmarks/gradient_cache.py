"""Training step on a large contrastive batch with the memory of a small one: our gradient cache beside its alternatives.

    python benchmarks/gradient_cache.py --json benchmarks/reports/gradient_cache.json

CoSwin-nano with a small text tower, the same weights and pairs for all:

    whole         the batch at once: the ideal, for those who have the memory
    cache         `GradientCache` in chunks
    accumulation  open_clip's `--accum-freq` on the same towers: the embeddings are cached without a graph; then each chunk is
                  encoded again, put in its place among the cached ones, and the loss of the whole batch is run backwards
    towers        the two passes through the towers alone, chunk by chunk, without loss and cache: what `cache` cannot go below

`ratio` is the time of `cache` over `whole`, with the largest chunk; a second forward pass is about a third of a step (1.33), the
rest is what small chunks cost the towers. Runs are interleaved; `ms` are medians, `min_ms` minima. With one thread they
are CPU time, which other work on the machine disturbs less than the clock's. `extra_mb` is the growth of resident memory to its
peak in one step, in a fresh process after a warm-up with two pairs (Linux only). `temperature_error` and `weight_error` are
relative to the gradients of `whole`, the latter over all other parameters as one vector.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mmengine
import torch
from mmengine.optim import OptimWrapper
from reporting import hardware, publish, resident_mb
from torch import Tensor

import florence  # noqa: F401  (first: it mends mmcv for current versions)
from florence.engine.gradient_cache import GradientCache
from florence.models.two_tower import TwoTower
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label

COLOURS = ('red', 'blue', 'green', 'pink')


class Recorder(OptimWrapper):
    """Steps that leave the weights as they are, and keep the gradients where asked to."""

    def __init__(self, model: TwoTower) -> None:
        super().__init__(torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.0))
        self.model = model
        self.gradients: dict[str, Tensor] | None = None

    def step(self, **kwargs) -> None:
        if self.gradients is not None:
            self.gradients.update((name, parameter.grad.clone()) for name, parameter in self.model.named_parameters())
        super().step(**kwargs)


def build(batch: int, image_size: int) -> tuple[TwoTower, dict]:
    """Model and pairs; all texts differ, so that no contestant encodes fewer."""
    torch.manual_seed(0)
    texts = [f'a {COLOURS[index % 4]} sign with the number {index} on a grey ground' for index in range(batch)]
    model = TwoTower(
        image_tower=dict(type='CoSwin', arch='nano'),
        text_tower=dict(type='TextTransformer', arch='nano', context_length=32),
        tokenizer=dict(type='TrainedBPE', vocab_size=1024, context_length=32),
        embed_dims=256,
    ).train()
    model.tokenizer.tokenizer.train(texts)
    samples = [ImageTextSample() for _ in texts]
    for sample, text in zip(samples, texts, strict=True):
        sample.set_data(dict(text=text, label=text_label(text)))
    return model, dict(inputs=torch.randint(0, 256, (batch, 3, image_size, image_size), dtype=torch.uint8), data_samples=samples)


def whole_step(model: TwoTower, data: dict, optim_wrapper: OptimWrapper) -> None:
    """The ideal."""
    model.train_step(data, optim_wrapper)


def split(data: dict, chunk_size: int) -> list[dict]:
    """Chunks of a preprocessed batch."""
    starts = range(0, len(data['data_samples']), chunk_size)
    return [{key: value[start : start + chunk_size] for key, value in data.items()} for start in starts]


def accumulation_step(model: TwoTower, data: dict, optim_wrapper: OptimWrapper, chunk_size: int) -> None:
    """open_clip's scheme."""
    data = model.data_preprocessor(data, training=True)
    chunks = split(data, chunk_size)
    with torch.no_grad():
        cached = [model(**chunk, mode='encode')[:2] for chunk in chunks]
    for index, chunk in enumerate(chunks):
        images, texts, scale = model(**chunk, mode='encode')
        parts = [*cached[:index], (images, texts), *cached[index + 1 :]]
        all_images, all_texts = (torch.cat(column) for column in zip(*parts, strict=True))
        optim_wrapper.backward(model.loss_from((all_images, all_texts, scale), data['data_samples'])['loss_unicl'])
    optim_wrapper.step()
    optim_wrapper.zero_grad()


def towers_step(model: TwoTower, data: dict, optim_wrapper: OptimWrapper, chunk_size: int) -> None:
    """Two passes through the towers; its gradients mean nothing."""
    chunks = split(model.data_preprocessor(data, training=True), chunk_size)
    with torch.no_grad():
        for chunk in chunks:
            model(**chunk, mode='encode')
    for chunk in chunks:
        optim_wrapper.backward(sum(output.sum() for output in model(**chunk, mode='encode')))
    optim_wrapper.step()
    optim_wrapper.zero_grad()


def contestants(chunk_sizes: list[int]) -> dict:
    steps = {'whole': whole_step}
    for size in chunk_sizes:
        steps[f'cache_{size}'] = GradientCache(size).train_step
        steps[f'accumulation_{size}'] = partial(accumulation_step, chunk_size=size)
        steps[f'towers_{size}'] = partial(towers_step, chunk_size=size)
    return steps


def extra_memory(name: str, args: argparse.Namespace) -> float:
    """Growth of resident memory in one step, MB, measured by this script in a fresh process."""
    options = {'--threads': [args.threads], '--batch': [args.batch], '--image-size': [args.image_size], '--chunks': args.chunks}
    command = [sys.executable, __file__, '--memory-of', name]
    command += [str(word) for option, values in options.items() for word in (option, *values)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f'error: the memory of {name} could not be measured: {run.stderr[-500:]}')
    return float(run.stdout.splitlines()[-1])


def print_memory(name: str, args: argparse.Namespace) -> None:
    """What `extra_memory` reads."""
    model, data = build(args.batch, args.image_size)
    optim_wrapper = Recorder(model)
    whole_step(model, {key: value[:2] for key, value in data.items()}, optim_wrapper)
    before = resident_mb('VmRSS')
    contestants(args.chunks)[name](model, data, optim_wrapper)
    print(resident_mb('VmHWM') - before)


def gradient_errors(steps: dict, model: TwoTower, data: dict) -> dict[str, dict[str, float]]:
    """Relative errors of the gradients against those of the whole batch."""
    gradients: dict[str, dict[str, Tensor]] = {}
    for name, step in steps.items():
        optim_wrapper = Recorder(model)
        optim_wrapper.gradients = {}
        step(model, data, optim_wrapper)
        gradients[name] = optim_wrapper.gradients
    exact = gradients['whole']
    errors = {}
    for name, got in gradients.items():
        weights = [key for key in exact if key != 'logit_scale']
        difference = sum(((got[key] - exact[key]) ** 2).sum() for key in weights)
        errors[name] = {
            'temperature_error': (abs(got['logit_scale'] - exact['logit_scale']) / abs(exact['logit_scale'])).item(),
            'weight_error': (difference / sum((exact[key] ** 2).sum() for key in weights)).sqrt().item(),
        }
    return errors


def measure(steps: dict, model: TwoTower, data: dict, repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Times in ms, one contestant after the other in turn, after a warm-up."""
    optim_wrapper = Recorder(model)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            start = clock()
            step(model, data, optim_wrapper)
            if repeat:
                times[name].append(1000 * (clock() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--batch', type=int, default=256)
    parser.add_argument('--image-size', type=int, default=64)
    parser.add_argument('--chunks', type=int, nargs='+', default=[32, 64], help='chunk sizes')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print_memory(args.memory_of, args)
        return
    clock = time.process_time if args.threads == 1 else time.perf_counter
    steps = contestants(args.chunks)
    model, data = build(args.batch, args.image_size)
    errors = gradient_errors({name: step for name, step in steps.items() if not name.startswith('towers')}, model, data)
    results: dict[str, dict] = {name: errors.get(name, {}) for name in steps}
    for name, times in measure(steps, model, data, args.repeats, clock).items():
        results[name] |= {'ms': round(statistics.median(times), 1), 'min_ms': round(min(times), 1)}
    for name in errors:
        results[name]['extra_mb'] = round(extra_memory(name, args), 1)
    whole = results['whole']
    for result in results.values():
        result['ratio'] = round(result['ms'] / whole['ms'], 3)
        result['min_ratio'] = round(result['min_ms'] / whole['min_ms'], 3)
        if 'extra_mb' in result:
            result['memory_ratio'] = round(result['extra_mb'] / whole['extra_mb'], 3)
    ours = results[f'cache_{max(args.chunks)}']
    report = {
        'benchmark': 'gradient_cache',
        'ratio': ours['ratio'],
        'ours_ms': ours['ms'],
        'peer_ms': whole['ms'],
        'cases': results,
        **{key: getattr(args, key) for key in ('threads', 'batch', 'image_size', 'chunks', 'repeats')},
        'versions': {'torch': torch.__version__, 'mmengine': mmengine.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
