"""Florence-2 exported to ONNX graphs, in float32 and int8, beside the model in PyTorch: same weights, image, prompt, threads.

    python benchmarks/florence2_export.py speed --vocabulary DIR --json benchmarks/reports/florence2_export_1thread.json
    python benchmarks/florence2_export.py agreement --model CONFIG --checkpoint CKPT --images DIR

    speed       random weights: an image encoded, --tokens tokens by greedy search; how far next tokens and logits agree where
                each is given the answer that PyTorch wrote
    agreement   trained weights: how many answers to all tasks without input are equal to PyTorch's, letter by letter

DIR of `speed` holds the released tokenizer (`Florence2Tokenizer`). Contestants take turns. Times are medians of the CPU time of
all threads; `ratio` is PyTorch's over the other's, of tokens: above 1, the export is faster. `megabytes` is what lies on disk.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reporting import hardware, publish
from torch import Tensor

from florence.apis import Florence2Inferencer
from florence.datasets.transforms import ResizePad
from florence.export.florence2_export import export_florence2
from florence.export.florence2_onnx import Florence2Onnx
from florence.models.florence2 import Florence2
from florence.models.seq2seq import BeamSettings
from florence.tasks.florence2.task import get_task, task_tags

PROMPT = 'Describe in detail what is shown in the image.'
PRECISIONS = ('fp32', 'int8')


def export_both(
    model: Florence2, image_size: tuple[int, int], folder: Path, keep_ratio: bool = False
) -> dict[str, dict[str, Any]]:
    """Size and differences from PyTorch of both exports, which lie in `fp32` and `int8`."""
    found = {}
    for precision in PRECISIONS:
        figures = export_florence2(model, image_size, folder / precision, keep_ratio=keep_ratio, int8=precision == 'int8')
        found[precision] = {
            'megabytes': round(sum(graph['megabytes'] for graph in figures.values())),
            'graphs': figures,
        }
    return found


def next_logits(model: Florence2 | Florence2Onnx, image_tokens: Tensor, answer: list[int]) -> Tensor:
    """Logits after each token of a given answer, `(L, V)`."""
    answering = model.answering
    memory, mask = answering.encode(image_tokens, [PROMPT], ['0'])
    decoding = answering.decoding(memory, mask)
    return torch.cat([decoding.step(torch.tensor([[[token]]]))[0] for token in [answering.words.eot_id, *answer]])


@torch.no_grad()
def speed(args: argparse.Namespace) -> dict[str, Any]:
    torch.manual_seed(0)
    model = Florence2(
        dict(type='DaViT', arch=f'florence2-{args.size}', drop_path_rate=0.0),
        dict(arch=args.size, drop_rate=0.0),
        dict(type='Florence2Tokenizer', vocabulary=args.vocabulary),
    ).eval()
    image = torch.randn(1, 3, args.image, args.image)
    search = BeamSettings(max_new_tokens=args.tokens, min_new_tokens=args.tokens - 1, no_repeat_ngram_size=3)
    with tempfile.TemporaryDirectory() as folder:
        report = {'torch': {'megabytes': round(sum(p.numel() for p in model.parameters()) * 4 / 2**20)}}
        report.update(export_both(model, (args.image, args.image), Path(folder)))
        models = {'torch': model, **{name: Florence2Onnx(Path(folder) / name) for name in PRECISIONS}}
        image_tokens = model.encode_images(image)
        answers = {name: list(own.generate(image_tokens, [PROMPT], search)[0][0].tokens) for name, own in models.items()}
        logits = {name: next_logits(own, image_tokens, answers['torch']) for name, own in models.items()}
        times: dict[str, dict[str, list[float]]] = {name: {'image': [], 'answer': []} for name in models}
        for _ in range(args.repeats):
            for name, own in models.items():
                times[name]['image'].append(cpu_time(lambda own=own: own.encode_images(image)))
                times[name]['answer'].append(cpu_time(lambda own=own: own.generate(image_tokens, [PROMPT], search)))
    if answers['fp32'] != answers['torch']:
        raise SystemExit('error: answers in float32 differ, the comparison is void')
    for name in models:
        image_time, answer_time = (statistics.median(times[name][key]) for key in ('image', 'answer'))
        report[name].update(image_cpu_ms=round(1000 * image_time, 1), tokens_per_cpu_second=round(args.tokens / answer_time, 2))
        difference = (logits[name] - logits['torch']).norm() / logits['torch'].norm()
        agree = (logits[name].argmax(1) == logits['torch'].argmax(1)).float().mean()
        report[name].update(logits_difference=difference.item(), equal_next_tokens=round(agree.item(), 4))
    rates = {name: report[name]['tokens_per_cpu_second'] for name in models}
    return {'ratio': {name: round(rates[name] / rates['torch'], 2) for name in PRECISIONS}, **report}


def cpu_time(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def agreement(args: argparse.Namespace) -> dict[str, Any]:
    inferencer = Florence2Inferencer(args.model, args.checkpoint)
    paths = sorted(str(path) for path in args.images.iterdir())
    tags = [tag for tag in task_tags() if get_task(tag).input_kind == 'none']
    wanted = [result['answer'] for result in inferencer(paths, tags)]
    with tempfile.TemporaryDirectory() as folder:
        size = (inferencer.resize.height, inferencer.resize.width)
        report = export_both(inferencer.model, size, Path(folder), isinstance(inferencer.resize, ResizePad))
        for name in PRECISIONS:
            found = [result['answer'] for result in Florence2Inferencer.from_onnx(Path(folder) / name)(paths, tags)]
            equal = [one == other for one, other in zip(found, wanted, strict=True)]
            report[name]['equal_answers'] = {
                tag: round(statistics.mean(equal[number :: len(tags)]), 3) for number, tag in enumerate(tags)
            }
    return {'images': len(paths), **report}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest='task', required=True)
    task = tasks.add_parser('speed')
    task.set_defaults(run=speed)
    task.add_argument('--vocabulary', type=Path, required=True, help='folder of the released tokenizer')
    task.add_argument('--size', choices=('base', 'large'), default='base')
    task.add_argument('--image', type=int, default=768, help='side in pixels, a multiple of 32')
    task.add_argument('--tokens', type=int, default=64, help='of the answer')
    task.add_argument('--repeats', type=int, default=3)
    other = tasks.add_parser('agreement')
    other.set_defaults(run=agreement)
    other.add_argument('--model', required=True, help='config')
    other.add_argument('--checkpoint', required=True)
    other.add_argument('--images', type=Path, required=True, help='folder')
    for each in (task, other):
        each.add_argument('--threads', type=int, default=1)
        each.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    import onnxruntime

    settings = {key: getattr(args, key) for key in ('task', 'size', 'image', 'tokens', 'threads', 'repeats') if key in args}
    versions = {'torch': torch.__version__, 'onnxruntime': onnxruntime.__version__, 'python': platform.python_version()}
    report = {'benchmark': 'florence2_export', **settings, **args.run(args), 'versions': versions, 'hardware': hardware()}
    publish(report, args.json)


if __name__ == '__main__':
    main()
