"""One training step of the same two towers, ours and open_clip's: forward, contrastive loss, backward, AdamW.

    python benchmarks/two_tower_step.py --json benchmarks/reports/two_tower_step_1thread.json

Swin-T (timm in open_clip, `CoSwin(embed='patch')` here) and the 12-layer text transformer of width 512, with the same weights,
images and texts; no two texts are equal, so that `UniCLLoss` computes what `ClipLoss` does: the script stops if losses differ.
Cases: `captions` = texts of about ten tokens, which open_clip pads to 77 and we to the longest of the batch; `full` = texts that
fill the context, the same work for both. Ours tokenizes within the step, open_clip's texts are tokenized in advance, as its data
loader does. `ratio` is peer time over ours: above 1, ours is faster. Steps are interleaved; `cpu_ms` and `wall_ms` are medians,
`min_*` minima; CPU time, of all threads, is disturbed less by other work on the machine.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import open_clip
import timm
import torch
from reporting import hardware, publish
from torch import Tensor, nn

import florence
from florence.models.converters.clip_text import clip_text_to_florence
from florence.models.converters.swin import swin_to_florence
from florence.models.two_tower import TwoTower
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label

CONTEXT, WIDTH, SIDE = 77, 512, 224
TOLERANCE = 1e-4
Step = Callable[[], float]


def build() -> tuple[TwoTower, open_clip.CLIP]:
    """Both models with the peer's initial weights."""
    torch.manual_seed(0)
    peer = open_clip.CLIP(
        embed_dim=WIDTH,
        vision_cfg=dict(timm_model_name='swin_tiny_patch4_window7_224', timm_pool='avg', timm_drop_path=0.0, image_size=SIDE),
        text_cfg=dict(context_length=CONTEXT, vocab_size=49408, width=WIDTH, heads=8, layers=12),
    )
    ours = TwoTower(
        image_tower=dict(type='CoSwin', arch='tiny', embed='patch', drop_path_rate=0.0),
        text_tower=dict(type='TextTransformer', arch='tiny', context_length=CONTEXT),
        tokenizer=dict(type='CLIPTokenizer', context_length=CONTEXT),
        embed_dims=WIDTH,
    )
    state = peer.state_dict()
    tower, projection = clip_text_to_florence(state, context_length=CONTEXT)
    ours.image_tower.load_state_dict(swin_to_florence(state, prefix='visual.trunk.'), strict=True)
    ours.text_tower.load_state_dict(tower, strict=True)
    with torch.no_grad():
        ours.text_proj.weight.copy_(projection)
        ours.image_proj.weight.copy_(peer.visual.head.proj.weight)
    return ours.train(), peer.train()


def texts_of(case: str, batch: int) -> list[str]:
    """Texts of which no two are equal."""
    colours = ('red', 'blue', 'green', 'pink')
    texts = [f'a {colours[index % 4]} sign with the number {index} on a grey wall' for index in range(batch)]
    return [' and '.join([text] * 12) for text in texts] if case == 'full' else texts


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0.1)


def our_step(model: TwoTower, images: Tensor, texts: list[str]) -> Step:
    """A step that returns its loss."""
    samples = [ImageTextSample() for _ in texts]
    for sample, text in zip(samples, texts, strict=True):
        sample.set_data(dict(text=text, label=text_label(text)))
    optimizer = optimizer_of(model)

    def step() -> float:
        loss = model.loss(images, samples)['loss_unicl']
        return take(loss, optimizer)

    return step


def peer_step(model: open_clip.CLIP, images: Tensor, texts: list[str]) -> Step:
    """The same of open_clip."""
    ids = open_clip.get_tokenizer('ViT-B-32', context_length=CONTEXT)(texts)
    loss_function, optimizer = open_clip.loss.ClipLoss(), optimizer_of(model)

    def step() -> float:
        return take(loss_function(*model(images, ids)), optimizer)

    return step


def take(loss: Tensor, optimizer: torch.optim.Optimizer) -> float:
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def measure(steps: dict[str, Step], repeats: int) -> dict[str, float]:
    """Times of both, one after the other in turn, after a check that they compute the same loss, step by step."""
    for _ in range(2):
        losses = {name: step() for name, step in steps.items()}
        if abs(losses['ours'] - losses['peer']) > TOLERANCE * abs(losses['peer']):
            raise SystemExit(f'error: the losses differ, {losses}: the comparison is void')
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            began = time.perf_counter(), time.process_time()
            step()
            times[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    figures: dict[str, float] = {'loss': round(losses['ours'], 5)}
    for place, clock in enumerate(('wall', 'cpu')):
        for prefix, middle in (('', statistics.median), ('min_', min)):
            ours, peer = (1000 * middle(pair[place] for pair in times[name]) for name in ('ours', 'peer'))
            figures[f'{prefix}{clock}_ratio'] = round(peer / ours, 3)
            figures[f'ours_{prefix}{clock}_ms'], figures[f'peer_{prefix}{clock}_ms'] = round(ours, 1), round(peer, 1)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cases = {}
    for case in ('captions', 'full'):
        ours, peer = build()
        images, texts = torch.randn(args.batch, 3, SIDE, SIDE), texts_of(case, args.batch)
        steps = {'ours': our_step(ours, images, texts), 'peer': peer_step(peer, images, texts)}
        cases[case] = measure(steps, args.repeats)
    report = {
        'benchmark': 'two_tower_step',
        'ratio': cases['full']['cpu_ratio'],
        'ours_ms': cases['full']['ours_cpu_ms'],
        'peer_ms': cases['full']['peer_cpu_ms'],
        'cases': cases,
        **{key: getattr(args, key) for key in ('threads', 'batch', 'repeats')},
        'parameters': {'ours': sum(p.numel() for p in ours.parameters()), 'peer': sum(p.numel() for p in peer.parameters())},
        'versions': {
            'florence': florence.__version__,
            'open_clip': open_clip.__version__,
            'timm': timm.__version__,
            'torch': torch.__version__,
            'python': platform.python_version(),
        },
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
