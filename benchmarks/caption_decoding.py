"""Beam search of captions: ours beside the same decoder without a cache, open_clip's CoCa, and transformers' cached generate.

    python benchmarks/caption_decoding.py --coca-path DIR --json benchmarks/reports/caption_decoding_1thread.json
    python benchmarks/caption_decoding.py --width 256 --vocab 8192 --batch 4 --repeats 3
    python benchmarks/caption_decoding.py --device cuda --width 768 --batch 64 --coca-path DIR

Every contestant has random weights, writes texts of exactly `--tokens` tokens about `--batch` images of `--image-tokens` tokens
(144 = CoSwin at 384 px) with `--beams` beams, and has the same width, vocabulary and number of weights in its layers:

    ours      `CaptionDecoder`, six layers of self-attention, cross-attention and MLP, by `CaptionDecoding`
    uncached  the same weights over whole prefixes, image tokens projected again for each beam and step; its tokens must be ours
    bart      transformers' `BartForConditionalGeneration.generate`, six layers of the same kind, its cache on
    coca      open_clip's `CoCa.generate`: two text and three multimodal layers (which have two MLPs each), no cache; its plain
              beam search is what it calls one beam group; its LM head is not tied to the embedding

CoCa's generate needs transformers below 4.57; DIR holds one beside the installed one (`pip install --target DIR --no-deps
transformers==4.55.4 tokenizers==0.21.4 huggingface-hub==0.36.0 requests`, and what that asks for). Without DIR its figures are
null.
Image encoders are left out, or so small (CoCa) that they take no time. `ratio` is the peer's time per token over ours, medians of
runs that take turns; `min_ms` are minima, which other work on the machine disturbs least.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reporting import hardware, publish
from torch import Tensor

START, END, NUM_LAYERS, HEAD_DIMS = 0, 2, 6, 64
PEERS = ('uncached', 'bart', 'coca')
Decode = Callable[[], Any]


class WholePrefixes:
    """Our decoder without a cache."""

    def __init__(self, decoder: Any, stream: list[Tensor]) -> None:
        self.decoder, self.stream, self.tokens = decoder, stream, None

    def step(self, tokens: Tensor) -> Tensor:
        self.tokens = tokens if self.tokens is None else torch.cat([self.tokens, tokens], 2)
        num_images, num_beams, _ = self.tokens.shape
        stream = [image.repeat_interleave(num_beams, 0) for image in self.stream]
        hidden = self.decoder(self.tokens.flatten(0, 1), stream)
        return self.decoder.logits(hidden[:, -1]).view(num_images, num_beams, -1)

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        assert items is None, 'all texts have one length'
        self.tokens = self.tokens.gather(1, beams[..., None].expand(-1, -1, self.tokens.shape[2]))


def ours_and_uncached(args: argparse.Namespace) -> tuple[dict[str, Decode], int]:
    """Both, and the number of weights."""
    from torch import nn

    from florence.models.fusion import FusionLayer
    from florence.models.seq2seq import BeamSettings, beam_search
    from florence.models.vision_language.caption_decoder import CaptionDecoder, CaptionEmbedding
    from florence.models.vision_language.caption_decoding import CaptionDecoding

    embedding = CaptionEmbedding(args.vocab, args.tokens + 1, args.width, args.width, has_norm=True)
    layers = [FusionLayer(args.width, args.width // HEAD_DIMS, 4 * args.width) for _ in range(NUM_LAYERS)]
    decoder = CaptionDecoder(embedding, nn.ModuleList(layers)).to(args.device).eval()
    with torch.no_grad():
        for layer in layers:  # else random weights write one text for all images
            layer.cross_attn.proj.weight.mul_(10)
    stream = [torch.randn(args.batch, args.image_tokens, args.width, device=args.device) for _ in layers]
    prompt = torch.full((args.batch, 1), START, device=args.device)
    settings = BeamSettings(args.beams, max_new_tokens=args.tokens, min_new_tokens=args.tokens - 1)

    def decode(kind: str) -> list:
        state = CaptionDecoding(decoder, stream) if kind == 'ours' else WholePrefixes(decoder, stream)
        # The last token could be the end; suppressed, so that all contestants write the same number.
        return beam_search(state, prompt, end_id=END, settings=settings, suppressed=prompt.new_tensor([END]))

    return {kind: lambda kind=kind: decode(kind) for kind in ('ours', 'uncached')}, num_weights(decoder)


def bart(args: argparse.Namespace) -> tuple[Decode, int]:
    """transformers' cached beam search, and the number of weights of its decoder."""
    from transformers import BartConfig, BartForConditionalGeneration
    from transformers.modeling_outputs import BaseModelOutput

    config = BartConfig(
        vocab_size=args.vocab, d_model=args.width, encoder_layers=1, decoder_layers=NUM_LAYERS, decoder_ffn_dim=4 * args.width,
        encoder_attention_heads=1, decoder_attention_heads=args.width // HEAD_DIMS, max_position_embeddings=args.tokens + 1,
        bos_token_id=START, pad_token_id=1, eos_token_id=END, decoder_start_token_id=START, forced_eos_token_id=None,
    )  # fmt: skip
    model = BartForConditionalGeneration(config).to(args.device).eval()
    memory = torch.randn(args.batch, args.image_tokens, args.width, device=args.device)
    options = dict(num_beams=args.beams, max_new_tokens=args.tokens, min_new_tokens=args.tokens, do_sample=False)

    def decode() -> Tensor:
        tokens = model.generate(encoder_outputs=BaseModelOutput(last_hidden_state=memory), **options)
        assert tokens.shape[1] == 1 + args.tokens
        return tokens

    return decode, num_weights(model.model.decoder)


def coca(args: argparse.Namespace) -> tuple[Decode, int]:
    """open_clip's beam search, and the number of weights of its text and multimodal layers."""
    from open_clip.coca_model import CoCa

    heads = args.width // HEAD_DIMS
    text = dict(context_length=args.tokens + 2, vocab_size=args.vocab, width=args.width, heads=heads)
    model = CoCa(
        embed_dim=args.width,
        multimodal_cfg=dict(
            text, layers=3, mlp_ratio=4, dim_head=HEAD_DIMS, n_queries=args.image_tokens, attn_pooler_heads=heads
        ),
        text_cfg=dict(text, layers=2, embed_cls=True, output_tokens=True),
        vision_cfg=dict(
            image_size=32, patch_size=16, layers=1, width=64, attentional_pool=True, attn_pooler_queries=args.image_tokens,
            attn_pooler_heads=heads, output_tokens=True,
        ),
    )  # fmt: skip
    model = model.to(args.device).eval()
    images = torch.randn(args.batch, 3, 32, 32, device=args.device)
    length = args.tokens + 1  # CoCa counts the start token

    def decode() -> Tensor:
        tokens = model.generate(
            images, seq_len=length, min_seq_len=args.tokens, num_beams=args.beams, num_beam_groups=1, sot_token_id=START,
            eos_token_id=END, pad_token_id=1,
        )  # fmt: skip
        assert tokens.shape[1] == length
        return tokens

    return decode, num_weights(model.text) + num_weights(model.text_decoder)


def num_weights(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def milliseconds(decode: Decode, device: str) -> float:
    """Of one batch."""
    start = time.perf_counter()
    decode()
    if device != 'cpu':
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)


class CoCaProcess:
    """CoCa in a process of its own, with the transformers that it needs; it decodes once each time it is asked."""

    def __init__(self, args: argparse.Namespace) -> None:
        path = os.pathsep.join([args.coca_path, os.environ.get('PYTHONPATH', '')])
        self.process = subprocess.Popen(
            [sys.executable, *sys.argv, '--serve-coca'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'PYTHONPATH': path},
        )  # fmt: skip
        self.facts = self._answer()

    def __call__(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit('error: CoCa cannot be run, see above; leave --coca-path out to measure without it')
        return json.loads(line)


def serve_coca(args: argparse.Namespace) -> None:
    import open_clip
    import transformers

    decode, weights = coca(args)
    milliseconds(decode, args.device)
    versions = {'open_clip': open_clip.__version__, 'transformers': transformers.__version__}
    print(json.dumps({'weights': weights, 'versions': versions}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(milliseconds(decode, args.device)), flush=True)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Figures of all contestants."""
    import transformers

    own, weights = ours_and_uncached(args)
    results = {name: decode() for name, decode in own.items()}
    tokens = {name: [[hypothesis.tokens for hypothesis in item] for item in items] for name, items in results.items()}
    if tokens['ours'] != tokens['uncached'] or any(len(item[0]) != args.tokens for item in tokens['ours']):
        raise SystemExit('error: with and without cache the texts differ, the comparison is void')
    decode_bart, bart_weights = bart(args)
    milliseconds(decode_bart, args.device)
    timers: dict[str, Any] = {
        name: lambda decode=decode: milliseconds(decode, args.device) for name, decode in (own | {'bart': decode_bart}).items()
    }
    report: dict[str, Any] = {
        'weights': {'ours': weights, 'bart': bart_weights},
        'versions': {'transformers': transformers.__version__},
    }
    if args.coca_path:
        timers['coca'] = CoCaProcess(args)
        report['weights']['coca'] = timers['coca'].facts['weights']
        report['versions']['coca'] = timers['coca'].facts['versions']
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(args.repeats):
        for name, timer in timers.items():
            times[name].append(timer())
    if 'coca' in timers:
        timers['coca'].close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    per_token = args.batch * args.tokens
    return report | {
        'ratio': {peer: round(medians[peer] / medians['ours'], 2) if peer in medians else None for peer in PEERS},
        'ms': {name: round(value, 1) for name, value in medians.items()},
        'min_ms': {name: round(min(values), 1) for name, values in times.items()},
        'ms_per_token': {name: round(value / per_token, 3) for name, value in medians.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch', type=int, default=8, help='images')
    parser.add_argument('--beams', type=int, default=6)
    parser.add_argument('--tokens', type=int, default=30, help='length of each text')
    parser.add_argument('--width', type=int, default=512, help='a multiple of 64')
    parser.add_argument('--vocab', type=int, default=49408)
    parser.add_argument('--image-tokens', type=int, default=144)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--coca-path', metavar='DIR', help='folder with a transformers that CoCa works with')
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--serve-coca', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.serve_coca:
        serve_coca(args)
        return
    figures = measure(args)
    settings = ('batch', 'beams', 'tokens', 'width', 'vocab', 'image_tokens', 'threads', 'repeats', 'device')
    report = {
        'benchmark': 'caption_decoding',
        'ratio': figures.pop('ratio'),
        **{name: getattr(args, name) for name in settings},
        **figures,
        'hardware': hardware(args.device),
    }
    report['versions'] |= {'torch': torch.__version__, 'python': platform.python_version()}
    publish(report, args.json)


if __name__ == '__main__':
    main()
