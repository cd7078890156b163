"""Caption metrics: time and peak memory of ours beside pycocoevalcap, from raw captions to BLEU, ROUGE-L and CIDEr-D.

    python benchmarks/caption_metrics.py captions_val2017.json --json caption_metrics.json

The first caption of each image is scored against its others. Where Java is found the peer tokenizes with its own program (two
starts, hypotheses and references), else with our tokens, and the report says so (`peer_tokens`). Scores must be equal to 1e-9,
and tokens equal, or the run fails.

Times are seconds from raw captions to scores, `cpu` that of all threads and of Java, the others of the clock; contestants run in
turn. `ratio` is the peer's figure over ours. `first` is taken in a fresh process: for ours with patterns to compile and without
cache. `peak_mb` is what a fresh process adds to its resident set at its peak; the peer's Java processes are not in it.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from reporting import hardware, publish, resident_mb

from florence.evaluation.functional.caption_scores import score_tokens, tokenize_groups
from florence.evaluation.functional.ptb_tokenizer import ptb_tokenize

METRICS = ('bleu', 'rouge_l', 'cider')
NAMES = ('Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr')
Captions = tuple[list[str], list[list[str]]]
Result = tuple[list[float], list[str], dict[str, float]]


def load(path: Path, images: int) -> Captions:
    """First caption of each image by id, and its others."""
    captions: dict[int, list[tuple[int, str]]] = {}
    for entry in json.loads(path.read_text())['annotations']:
        captions.setdefault(entry['image_id'], []).append((entry['id'], entry['caption']))
    chosen = [sorted(captions[image_id]) for image_id in sorted(captions)[:images]]
    return [own[0][1] for own in chosen], [[text for _, text in own[1:]] for own in chosen]


def run_ours(hypotheses: list[str], references: list[list[str]]) -> Result:
    start = time.perf_counter()
    lines, groups = ptb_tokenize(hypotheses), tokenize_groups(references)
    tokenized = time.perf_counter()
    scoring = score_tokens(lines, groups, METRICS)
    end = time.perf_counter()
    tokens = lines + [line for own in groups for line in own]
    return [scoring.corpus[name] for name in NAMES], tokens, {'tokens': tokenized - start, 'scores': end - tokenized}


def run_peer(hypotheses: list[str], references: list[list[str]]) -> Result:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    given = {index: [text] for index, text in enumerate(hypotheses)}, dict(enumerate(references))
    start = time.perf_counter()
    if shutil.which('java'):
        from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

        result, truth = (
            PTBTokenizer().tokenize({key: [{'caption': text} for text in own] for key, own in part.items()}) for part in given
        )
    else:
        result = {index: [text] for index, text in enumerate(ptb_tokenize(hypotheses))}
        truth = dict(enumerate(tokenize_groups(references)))
    tokenized = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, _ = Bleu(4).compute_score(truth, result, verbose=0)
        rouge, _ = Rouge().compute_score(truth, result)
        cider, _ = Cider().compute_score(truth, result)
    end = time.perf_counter()
    tokens = [own[0] for own in result.values()] + [line for own in truth.values() for line in own]
    return [*bleu, float(rouge), float(cider)], tokens, {'tokens': tokenized - start, 'scores': end - tokenized}


RUNS: dict[str, Callable[..., Result]] = {'ours': run_ours, 'pycocoevalcap': run_peer}


def in_fresh_process(name: str, args: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, str(args.captions), '--images', str(args.images), '--alone', name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def alone(name: str, captions: Captions) -> dict[str, float]:
    """Seconds of the first run of this process, and what it adds to the resident set."""
    if name != 'ours':
        # Loads the peer's libraries, which are not what is measured.
        run_peer(*(part[:2] for part in captions))
    Path('/proc/self/clear_refs').write_text('5')
    before = resident_mb('VmRSS')
    _, _, times = RUNS[name](*captions)
    return {'first': round(sum(times.values()), 3), 'peak_mb': round(resident_mb('VmHWM') - before, 1)}


def summary(times: list[dict[str, float]]) -> dict[str, float]:
    totals = [sum(parts.values()) for parts in times]
    parts = {part: round(statistics.median(own[part] for own in times), 3) for part in times[0]}
    return {'median': round(statistics.median(totals), 3), 'minimum': round(min(totals), 3), **parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('captions', type=Path, help='COCO-format captions_*.json')
    parser.add_argument('--images', type=int, default=5000, help='the first so many by id')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--alone', choices=RUNS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    captions = load(args.captions, args.images)
    if args.alone:
        print(json.dumps(alone(args.alone, captions)))
        return
    times: dict[str, list[dict[str, float]]] = {name: [] for name in RUNS}
    scores, tokens = {}, {}
    cpu: dict[str, list[float]] = {name: [] for name in RUNS}
    for _ in range(args.repeats):
        for name, run in RUNS.items():
            before = sum(os.times()[:4])
            scores[name], tokens[name], took = run(*captions)
            cpu[name].append(sum(os.times()[:4]) - before)
            times[name].append(took)
    ours, peer = RUNS
    equal_lines = sum(mine == theirs for mine, theirs in zip(tokens[ours], tokens[peer], strict=True)) / len(tokens[ours])
    difference = float(np.abs(np.subtract(scores[ours], scores[peer])).max())
    if difference > 1e-9 or equal_lines < 1:
        raise SystemExit(f'error: scores differ by {difference}, {equal_lines:.4%} of the lines have equal tokens: {scores}')
    figures = {
        name: summary(own) | {'cpu': round(statistics.median(cpu[name]), 3)} | in_fresh_process(name, args)
        for name, own in times.items()
    }
    ratio = {key: round(figures[peer][key] / own, 2) for key, own in figures[ours].items() if key != 'peak_mb'}
    publish({
        'benchmark': 'caption_metrics', 'ratio': ratio, 'scores': dict(zip(NAMES, scores[ours])),
        'largest_difference': difference, 'equal_token_lines': equal_lines,
        'peer_tokens': 'its own, by Java' if shutil.which('java') else 'ours, there is no Java', **figures,
        'images': len(captions[0]), 'references': sum(map(len, captions[1])), 'repeats': args.repeats,
        'versions': {name: version(name) for name in ('numpy', 'pycocoevalcap')} | {'python': platform.python_version()},
        'hardware': hardware(),
    }, args.json)  # fmt: skip


if __name__ == '__main__':
    main()
