"""Embeddings of the proposals of an image: one pass of the tower and RoIAlign, beside a pass of the tower for each proposal.

    python benchmarks/region_classification.py --json benchmarks/reports/region_classification.json

Both name the same proposals of one image with the same tower. `roi` is `RoIRegionEncoder`; the peer, `crops`, is
`CropRegionEncoder` with the box and 1.5 times the box at `--crop-size`: the literal reading of "classify every proposal", as ViLD
did it.

    regions_ratio   crops over roi, the embeddings alone: what naming adds once the proposals' own pass of the tower is there
    tower_ratio     crops over (that pass of the tower and roi): as if it served nothing but the names
    detector_ratio  whole predictions, proposals included on both sides
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reporting import hardware, publish
from zero_shot_setup import build_detector, one_image

from florence.models.detectors import CropRegionEncoder, RoIRegionEncoder


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


@torch.no_grad()
def measure(args: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each part, interleaved."""
    model = build_detector(args, test_cfg=dict(rpn=dict(max_per_img=args.proposals)))
    inputs, samples = one_image(args.height, args.width)
    encoders = {'roi': RoIRegionEncoder(), 'crops': CropRegionEncoder(image_size=args.crop_size, contexts=args.contexts)}
    maps = model.image_maps(inputs)
    proposals = model.rpn_head.predict(model.neck(maps), samples, rescale=False)[0].bboxes
    if len(proposals) != args.proposals:
        raise SystemExit(f'error: {len(proposals)} proposals in place of {args.proposals}, the comparison is void.')
    times: dict[str, list[float]] = {name: [] for name in ('tower', 'proposals', *encoders)}
    for repeat in range(args.repeats + 1):
        seconds = {'tower': timed(lambda: model.image_maps(inputs))[0]}
        seconds['proposals'] = timed(lambda: model.rpn_head.predict(model.neck(maps), samples, rescale=False))[0]
        for name, encoder in encoders.items():
            # The slow side is not warmed up with all of its proposals: its first crops do that.
            boxes = proposals[:8] if name == 'crops' and repeat == 0 else proposals
            seconds[name], embeds = timed(
                lambda encoder=encoder, boxes=boxes: encoder(
                    model.two_tower, inputs, maps[-1], [boxes], [(args.height, args.width)]
                )
            )
            assert embeds[0].shape == (len(boxes), model.two_tower.image_proj.out_features)
        if repeat:
            for name, value in seconds.items():
                times[name].append(value)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arch', default='tiny', help='CoSwin arch')
    parser.add_argument('--blocks', type=int, default=6, help='Dynamic Head blocks')
    parser.add_argument('--text-layers', type=int, default=1)
    parser.add_argument('--height', type=int, default=800)
    parser.add_argument('--width', type=int, default=1344)
    parser.add_argument('--proposals', type=int, default=300)
    parser.add_argument('--crop-size', type=int, default=224)
    parser.add_argument('--contexts', type=float, nargs='+', default=[1.0, 1.5])
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    seconds = measure(args)
    shared = seconds['tower'] + seconds['proposals']
    report = {
        'benchmark': 'region_classification',
        'regions_ratio': round(seconds['crops'] / seconds['roi'], 1),
        'tower_ratio': round(seconds['crops'] / (seconds['tower'] + seconds['roi']), 1),
        'detector_ratio': round((shared + seconds['crops']) / (shared + seconds['roi']), 1),
        'seconds': {name: round(value, 4) for name, value in seconds.items()},
        **{key: value for key, value in vars(args).items() if key not in ('json', 'text_layers')},
        'versions': {'torch': torch.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
