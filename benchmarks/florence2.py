"""Florence-2: ours beside transformers' Florence2ForConditionalGeneration, same random weights, images, prompts, threads.

    python benchmarks/florence2.py greedy --vocabulary DIR --json benchmarks/reports/florence2_greedy_1thread.json
    python benchmarks/florence2.py beam --batch 4 --vocabulary DIR
    python benchmarks/florence2.py prompts --batch 8 --tokens 32 --vocabulary DIR
    python benchmarks/florence2.py train --batch 4 --image 384 --tokens 256 --vocabulary DIR

    greedy    one token after the other, from image tokens that are given to both
    beam      the same with --beams beams and no n-gram of 3 twice, as in the release
    prompts   --batch prompts on one image: ours encodes it once, theirs is called for each prompt
    train     forward, cross-entropy, backward, AdamW; targets of --tokens tokens; no dropout

DIR holds the released tokenizer (`Florence2Tokenizer`). Nothing is timed before both gave the same: answers token by token, or
the loss to 1e-4. `ratio` is the peer's CPU time over ours: above 1, ours is faster. Contestants take turns; `cpu_ms` and `ms` are
medians of the CPU time of all threads and of the clock, `min_ms` minima. `extra_mb`, of training, is what steps add to the
resident set at their peak, gradients and optimizer state included, measured in a fresh process for each. With `--recompute N`
ours computes the blocks of the first N stages of the tower again in the backward pass instead of storing what they hold.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from reporting import hardware, publish, resident_mb
from torch import Tensor

from florence.models.converters.florence2 import florence2_to_florence
from florence.models.florence2 import Florence2
from florence.models.seq2seq import BeamSettings
from florence.structures import ImageTextSample

NAMES = ('ours', 'transformers')
IMAGE_ID, START, END = 3, 0, 2  # <unk> stands for image tokens: no prompt holds it
WIDTHS = {'base': 128, 'large': 256}
PROMPTS = (
    'What does the image describe?',
    'Describe in detail what is shown in the image.',
    'Describe with a paragraph what is shown in the image.',
    'Locate the objects with category name in the image.',
    'Locate the objects in the image, with their descriptions.',
    'Locate the region proposals in the image.',
    'What is the text in the image?',
    'What is the text in the image, with regions?',
)


def build(args: argparse.Namespace) -> tuple[Florence2, Any]:
    """Ours and theirs with the same weights."""
    from transformers import Florence2Config, Florence2ForConditionalGeneration

    from florence.models.florence2.language_model import ARCHS

    sizes = ARCHS[args.size]
    ours = Florence2(
        dict(
            type='DaViT',
            arch=f'florence2-{args.size}',
            drop_path_rate=0.0,
            with_cp=[stage < args.recompute for stage in range(4)],
        ),
        dict(arch=args.size, drop_rate=0.0),
        dict(type='Florence2Tokenizer', vocabulary=args.vocabulary),
    )
    sides = {
        f'{side}_{name}': sizes[key]
        for side in ('encoder', 'decoder')
        for name, key in (('layers', 'num_layers'), ('attention_heads', 'num_heads'), ('ffn_dim', 'mlp_dims'))
    }
    words = ours.tokenizer.tokenizer
    text = dict(model_type='bart', vocab_size=words.vocab_size, d_model=sizes['embed_dims'], max_position_embeddings=1024,
                dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, **sides)  # fmt: skip
    width = WIDTHS[args.size]
    heads = [width // 32 * 2**stage for stage in range(4)]
    vision = dict(embed_dim=[width * 2**stage for stage in range(4)], num_heads=heads, num_groups=heads,
                  projection_dim=sizes['embed_dims'], drop_path_rate=0.0)  # fmt: skip
    torch.manual_seed(0)
    theirs = Florence2ForConditionalGeneration(Florence2Config(text_config=text, vision_config=vision, image_token_id=IMAGE_ID))
    extra = {'tokenizer._extra_state': ours.tokenizer.get_extra_state()}
    ours.load_state_dict(florence2_to_florence(theirs.state_dict(), words.vocab_size, extra_states=extra))
    return ours.eval(), theirs.eval()


def their_inputs(ours: Florence2, prompts: list[str], images: Tensor) -> dict[str, Tensor]:
    encoded = ours.tokenizer.encode(prompts)
    height, width = (side // 32 for side in images.shape[2:])
    head = torch.full((len(prompts), 1 + height * width), IMAGE_ID)
    return dict(
        pixel_values=images,
        input_ids=torch.cat([head, encoded['input_ids']], 1),
        attention_mask=torch.cat([torch.ones_like(head), encoded['attention_mask']], 1),
    )


def their_answers(theirs: Any, inputs: dict[str, Tensor], search: dict[str, Any]) -> list[list[int]]:
    rows = theirs.generate(**inputs, **search, do_sample=False, forced_bos_token_id=START, forced_eos_token_id=END).tolist()
    return [row[1 : row.index(END, 1)] for row in rows]


def generation(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """Answers of both, as lists of tokens."""
    ours, theirs = build(args)
    beams = 1 if args.task == 'greedy' else args.beams
    search = dict(num_beams=beams, max_new_tokens=args.tokens, no_repeat_ngram_size=3, early_stopping=beams > 1)
    settings = BeamSettings(**search)
    num_images = 1 if args.task == 'prompts' else args.batch
    prompts = [PROMPTS[number % len(PROMPTS)] for number in range(args.batch)]
    images = torch.randn(num_images, 3, args.image, args.image)
    if args.task == 'prompts':
        requests = [their_inputs(ours, [prompt], images) for prompt in prompts]
        return {
            'ours': lambda: [list(found[0].tokens) for found in ours.generate(ours.encode_images(images), prompts, settings)],
            'transformers': lambda: [their_answers(theirs, inputs, search)[0] for inputs in requests],
        }
    with torch.no_grad():
        tokens = ours.encode_images(images)
        difference = (tokens - theirs.get_image_features(images).pooler_output).abs().max()
    if difference > 1e-4:
        raise SystemExit(f'error: image tokens differ by {difference:.1e}, the comparison is void')
    # What `generate` calls; it looks at the names of the arguments.
    theirs.model.get_image_features = lambda pixel_values, **_: SimpleNamespace(pooler_output=tokens)
    inputs = their_inputs(ours, prompts, images)
    return {
        'ours': lambda: [list(found[0].tokens) for found in ours.generate(tokens, prompts, settings)],
        'transformers': lambda: their_answers(theirs, inputs, search),
    }


def training(args: argparse.Namespace) -> dict[str, Callable[[], float]]:
    """A step of both, which gives the loss."""
    ours, theirs = build(args)
    images = torch.randn(args.batch, 3, args.image, args.image)
    prompts = [PROMPTS[number % len(PROMPTS)] for number in range(args.batch)]
    places = torch.randint(1000, (args.batch, args.tokens - 2)).tolist()  # besides start and end token
    targets = [''.join(f'<loc_{place}>' for place in row) for row in places]
    samples = [ImageTextSample(prompt=prompt, target=target) for prompt, target in zip(prompts, targets, strict=True)]
    inputs = their_inputs(ours, prompts, images)
    labels = ours.training_tokens(targets, targets)[1]

    def stepper(model: Any, loss_of: Callable[[], Tensor]) -> Callable[[], float]:
        optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-5)

        def step() -> float:
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    return {
        'ours': stepper(ours, lambda: ours.loss(images, samples)['loss_text']),
        'transformers': stepper(theirs, lambda: theirs(**inputs, labels=labels).loss),
    }


def extra_memory(args: argparse.Namespace) -> float:
    """Megabytes that two steps, the second with the optimizer's state, add at their peak to a model, in this process."""
    step = training(args)[args.memory_of]
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
    before = resident_mb('VmRSS')
    step()
    step()
    return resident_mb('VmHWM') - before


def memory_in_fresh_process(name: str) -> float:
    command = [sys.executable, *sys.argv, f'--memory-of={name}']
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def measure(args: argparse.Namespace) -> dict[str, Any]:
    contestants = training(args) if args.task == 'train' else generation(args)
    first = {name: run() for name, run in contestants.items()}
    if args.task == 'train':
        if abs(first['ours'] - first['transformers']) > 1e-4:
            raise SystemExit(f'error: losses differ: {first}, the comparison is void')
    elif first['ours'] != first['transformers']:
        raise SystemExit('error: answers differ, the comparison is void')
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in NAMES}
    for _ in range(args.repeats):
        for name, run in contestants.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - start, time.process_time() - cpu_start))
    figures = {}
    for name, runs in times.items():
        wall, cpu = zip(*runs, strict=True)
        figures[name] = {
            'cpu_ms': round(1000 * statistics.median(cpu), 1),
            'ms': round(1000 * statistics.median(wall), 1),
            'min_ms': round(1000 * min(wall), 1),
        }
        if args.task == 'train':
            figures[name]['extra_mb'] = round(memory_in_fresh_process(name), 1)
    ratios = {key: round(figures['transformers'][key] / figures['ours'][key], 2) for key in figures['ours']}
    lengths = {} if args.task == 'train' else {'answer_lengths': [len(answer) for answer in first['ours']]}
    return {'ratio': ratios['cpu_ms'], 'ratios': ratios, **figures, **lengths}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', choices=('greedy', 'beam', 'prompts', 'train'))
    parser.add_argument('--vocabulary', type=Path, required=True, help='folder of the released tokenizer')
    parser.add_argument('--size', choices=sorted(WIDTHS), default='base')
    parser.add_argument('--image', type=int, default=768, help='side in pixels, a multiple of 32')
    parser.add_argument('--batch', type=int, default=1, help='images, or prompts on one')
    parser.add_argument('--beams', type=int, default=3)
    parser.add_argument('--tokens', type=int, default=128, help='longest answer, or length of targets')
    parser.add_argument(
        '--recompute', type=int, choices=range(5), default=0, metavar='N', help='stages of our tower, in training'
    )
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', choices=NAMES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(extra_memory(args))
        return
    import transformers

    settings = ('task', 'size', 'image', 'batch', 'beams', 'tokens', 'recompute', 'threads', 'repeats')
    report = {
        'benchmark': 'florence2',
        **measure(args),
        **{key: getattr(args, key) for key in settings},
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
