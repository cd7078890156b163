"""Parameters and arithmetic of a model, by part: `python tools/analysis_tools/get_flops.py CONFIG [--shape H W] [--json FILE]`.

Everything runs on the meta device: no weights are made, so the largest model takes seconds on a laptop. Floating-point operations
are those of one forward pass of one sample (a multiply-add counts as two), as torch's flop counter sees them: matrix products,
convolutions and attention, no elementwise work. For a two-tower model the parts are the image
tower, the text tower at full context length, and the two projections.
"""

import argparse
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from florence.atomic_files import write_json
from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import load_config


def count_parameters(*modules: nn.Module) -> int:
    """Distinct parameters of some modules."""
    return sum(parameter.numel() for parameter in {p for module in modules for p in module.parameters()})


def count_flops(run) -> int:
    """Floating-point operations of a call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops()


def two_tower_parts(model: nn.Module, height: int, width: int) -> dict[str, dict[str, int]]:
    """Parameters and FLOPs of the towers and the projections."""
    image = torch.empty(1, 3, height, width, device='meta')
    length = model.text_tower.context_length
    ids = torch.zeros(1, length, dtype=torch.int64, device='meta')
    keep = torch.ones_like(ids)
    feature = torch.empty(1, model.image_proj.in_features, device='meta')
    text_feature = torch.empty(1, model.text_proj.in_features, device='meta')
    return {
        'image tower': dict(params=count_parameters(model.image_tower), flops=count_flops(lambda: model.image_tower(image))),
        'text tower': dict(params=count_parameters(model.text_tower), flops=count_flops(lambda: model.text_tower(ids, keep))),
        'projections': dict(
            params=count_parameters(model.image_proj, model.text_proj),
            flops=count_flops(lambda: (model.image_proj(feature), model.text_proj(text_feature))),
        ),
    }


def child_parts(model: nn.Module, height: int, width: int) -> dict[str, dict[str, int]]:
    """Parameters of each child, FLOPs of the backbone where there is one."""
    parts = {name: dict(params=count_parameters(child)) for name, child in model.named_children() if count_parameters(child)}
    if hasattr(model, 'backbone'):
        image = torch.empty(1, 3, height, width, device='meta')
        parts['backbone']['flops'] = count_flops(lambda: model.backbone(image))
    return parts


def measure(cfg, height: int, width: int) -> dict[str, dict[str, int]]:
    """Figures of each part of a config's model, and of the whole."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'florence')), torch.device('meta'):
        model = MODELS.build(cfg.model)
    model.eval()
    parts = (two_tower_parts if hasattr(model, 'text_tower') else child_parts)(model, height, width)
    parts['total'] = dict(params=count_parameters(model), flops=sum(part.get('flops', 0) for part in parts.values()))
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description='Parameters and FLOPs of a model, by part.')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape', type=int, nargs='+', default=[224], metavar='PX', help='side, or height and width, of the image'
    )
    parser.add_argument('--json', metavar='FILE', help='write the figures as one JSON object')
    add_cfg_options(parser)
    args = parser.parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
    except (FileNotFoundError, KeyError) as error:
        sys.exit(f'error: {error.args[0]}')
    height, width = (args.shape * 2)[:2]
    parts = measure(cfg, height, width)
    print(f'input {height} x {width}')
    for name, part in parts.items():
        flops = f'{part["flops"] / 1e9:10.2f} GFLOPs' if part.get('flops') else ''
        print(f'{name:14s} {part["params"] / 1e6:10.2f} M parameters {flops}')
    if args.json:
        write_json(args.json, parts)


if __name__ == '__main__':
    main()
