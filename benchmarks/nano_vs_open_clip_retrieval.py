"""Held-out retrieval of the nano two-tower beside open_clip, on the same images, steps, batches, vocabulary and size.

    python benchmarks/nano_vs_open_clip_retrieval.py --data FOLDER [--set emoji|exercise] [--steps N] [--json FILE]

FOLDER holds `imgtext_emoji_noto` and `imgtext_exercise`. Ours is trained by the runner from its config. The peer is
open_clip's CLIP with a ViT of about as many parameters (64 px, patches of 8), its ClipLoss and its recipe (AdamW,
betas 0.9 and 0.98, decay 0.2 of matrices, gradient clipping), fed by the same data pipeline; of the learning
rates tried for both, the best on the held-out set counts. Prints one JSON line; `ratio` is our mean recall over the peer's.
"""

import argparse
import copy
import math
import platform
import tempfile
from functools import partial
from pathlib import Path

import open_clip
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from reporting import publish
from torch import nn

import florence  # first: it mends mmcv for current versions
from florence.engine.launch import build_runner
from florence.evaluation.functional.retrieval import median_rank, recall_at_k, retrieval_ranks

CONFIGS = Path(__file__).resolve().parents[1] / 'configs/unicl'
SETS = {
    'emoji': ('unicl_coswin-nano_400it_emoji.py', 'imgtext_emoji_noto'),
    'exercise': ('unicl_coswin-nano_100it_exercise.py', 'imgtext_exercise'),
}


def figures(image_embeds, text_embeds, captions) -> dict[str, float]:
    """Recalls of both directions in percent, their mean, and median ranks."""
    ranks = retrieval_ranks(image_embeds, text_embeds, captions)
    result = {}
    for name, values in (('i2t', ranks.image_to_text), ('t2i', ranks.text_to_image)):
        result |= {f'{name}_R@{k}': value for k, value in recall_at_k(values, (1, 5, 10)).items()}
    result['mean_R'] = sum(result.values()) / len(result)
    return result | {'i2t_median_rank': median_rank(ranks.image_to_text), 't2i_median_rank': median_rank(ranks.text_to_image)}


@torch.no_grad()
def evaluate(encode_image, encode_text, loader) -> dict[str, float]:
    """Retrieval figures of any pair of encoders on a loader of samples with captions."""
    images, texts, captions = [], [], []
    for batch in loader:
        images.append(encode_image(torch.stack(batch['inputs'])))
        for sample in batch['data_samples']:
            captions.append(sample.captions)
            texts.append(encode_text(list(sample.captions)))
    return figures(torch.cat(images), torch.cat(texts), captions)


class Peer(nn.Module):
    """open_clip's CLIP behind our tokenizer and normalisation."""

    def __init__(self, tokenizer, preprocessor, context_length: int) -> None:
        super().__init__()
        self.tokenizer, self.preprocessor = copy.deepcopy(tokenizer), preprocessor
        self.tokenizer.context_length = context_length
        # One more id: open_clip finds the end token as the largest id.
        self.end = tokenizer.vocab_size
        self.clip = open_clip.CLIP(
            embed_dim=256,
            vision_cfg=dict(image_size=64, patch_size=8, width=144, layers=9, head_width=36),
            text_cfg=dict(context_length=context_length, vocab_size=self.end + 1, width=96, heads=4, layers=2),
        )

    def encode_image(self, images):
        return self.clip.encode_image(self.preprocessor({'inputs': images})['inputs'], normalize=True)

    def encode_text(self, texts):
        ids = self.tokenizer(texts)['input_ids']
        ids = ids.masked_fill(ids == self.tokenizer.eot_id, self.end)
        full = ids.new_zeros(len(texts), self.tokenizer.context_length)
        full[:, : ids.shape[1]] = ids
        return self.clip.encode_text(full, normalize=True)


def embed_images(model, images):
    """Embeddings of uint8 images."""
    return model.encode_image(model.data_preprocessor({'inputs': images})['inputs'])


def train_ours(cfg: Config) -> Runner:
    """The runner of a finished training."""
    with tempfile.TemporaryDirectory() as cfg.work_dir:
        # Runners of one process are told apart by name.
        cfg.experiment_name = f'lr{cfg.optim_wrapper.optimizer.lr}'
        runner = build_runner(cfg)
        runner.train()
    return runner


def train_peer(peer: Peer, loader, steps: int, lr: float) -> None:
    """open_clip's recipe for some steps."""
    decayed = [p for p in peer.parameters() if p.dim() > 1]
    rest = [p for p in peer.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=0.2), dict(params=rest, weight_decay=0.0)], lr=lr, betas=(0.9, 0.98), eps=1e-6
    )
    warmup = max(1, steps // 10)
    loss_function = open_clip.loss.ClipLoss()
    batches = iter(loader)
    for step in range(steps):
        factor = (step + 1) / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
        for group in optimizer.param_groups:
            group['lr'] = lr * factor
        batch = next(batches)
        texts = [sample.text for sample in batch['data_samples']]
        loss = loss_function(
            peer.encode_image(torch.stack(batch['inputs'])), peer.encode_text(texts), peer.clip.logit_scale.exp()
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            peer.clip.logit_scale.clamp_(0, math.log(100))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', required=True, type=Path, help='folder of the two data sets')
    parser.add_argument('--set', choices=SETS, default='emoji', help='which data set')
    parser.add_argument('--steps', type=int, help='training steps of both; default: those of the config')
    parser.add_argument('--lrs', type=float, nargs='+', default=[5e-4, 1e-3, 2e-3], help='learning rates tried for both')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--json', metavar='FILE', help='write the figures there')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    config, folder = SETS[args.set]
    cfg = Config.fromfile(CONFIGS / config)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(args.data / folder)
    if args.steps:
        cfg.train_cfg.max_iters = cfg.param_scheduler[-1].end = args.steps
    cfg.train_cfg.val_interval = cfg.train_cfg.max_iters + 1
    ours = []
    for lr in args.lrs:
        cfg.optim_wrapper.optimizer.lr = lr
        runner = train_ours(cfg.copy())
        model, preprocess = runner.model.eval(), runner.model.data_preprocessor
        val_loader = Runner.build_dataloader(cfg.val_dataloader, seed=0)
        result = evaluate(partial(embed_images, model), model.encode_text, val_loader)
        ours.append({**result, 'lr': lr, 'parameters': sum(p.numel() for p in model.parameters())})

    # open_clip pads every text to its context length: no longer than the data needs, so that it does not lose time there.
    tokenizer = model.tokenizer.tokenizer
    longest = max(tokenizer([text])['input_ids'].shape[1] for text in set(runner.train_dataloader.dataset.captions()))
    longest = min(cfg.model.tokenizer.context_length, longest + 8)
    peers = []
    for lr in args.lrs:
        torch.manual_seed(0)
        peer = Peer(model.tokenizer.tokenizer, preprocess, longest)
        train_peer(peer.train(), Runner.build_dataloader(cfg.train_dataloader, seed=0), cfg.train_cfg.max_iters, lr)
        result = evaluate(peer.eval().encode_image, peer.encode_text, val_loader)
        peers.append({**result, 'lr': lr, 'parameters': sum(p.numel() for p in peer.clip.parameters())})
    best_ours, best_peer = (max(results, key=lambda result: result['mean_R']) for results in (ours, peers))
    report = dict(
        set=args.set,
        ratio=best_ours['mean_R'] / best_peer['mean_R'],
        ours=best_ours,
        peer=best_peer,
        ours_all=ours,
        peer_all=peers,
        steps=cfg.train_cfg.max_iters,
        versions=dict(florence=florence.__version__, open_clip=open_clip.__version__, torch=torch.__version__),
        hardware=f'{platform.processor() or platform.machine()}, {args.threads} threads',
    )
    publish(report, args.json)


if __name__ == '__main__':
    main()
