"""What a zero-shot detector owes to its texts: `python tools/analysis_tools/random_text_bank.py CONFIG CHECKPOINT`.

Evaluates the detector as it is, then with a random direction in place of each class's embedding, several times. Boxes and
objectness stay the same; what remains of the figures is what placing boxes alone gives.
"""

import argparse
import copy
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor

from florence.atomic_files import write_json
from florence.engine.config_files import load_config
from florence.engine.launch import add_common_arguments, build_runner, default_work_dir, prepare_distributed


class RandomTextBank:
    """Stands where a `TextBank` stands; gives each name an independent direction."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def get(self, tower: torch.nn.Module, names: tuple[str, ...], templates: str) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        embeds = torch.randn(len(names), tower.text_proj.out_features, generator=generator)
        return F.normalize(embeds, dim=-1).to(tower.text_proj.weight)


class UseRandomTextBank(Hook):
    """Swaps the bank before the first image."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_test(self, runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.text_bank = RandomTextBank(self.seed)


def evaluate(cfg: Config, seed: int | None) -> dict[str, float]:
    """Metrics on the config's test data, with the model's own bank (None) or a random one."""
    runner = build_runner(copy.deepcopy(cfg))
    if seed is not None:
        runner.register_hook(UseRandomTextBank(seed))
    return runner.test()


def main() -> None:
    parser = argparse.ArgumentParser(description='Evaluate a zero-shot detector with its texts and with random ones.')
    parser.add_argument('config', help='config of a florence.ZeroShotDetector')
    parser.add_argument('checkpoint', help='weights to evaluate')
    parser.add_argument('--seeds', type=int, default=3, help='number of random banks')
    parser.add_argument('--json', metavar='FILE', help='write the figures as one JSON object')
    add_common_arguments(parser)
    args = parser.parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        if not Path(args.checkpoint).exists():
            raise FileNotFoundError(f'no checkpoint {args.checkpoint!r}: check the path.')
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0]}')
    prepare_distributed(cfg, args.launcher)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or default_work_dir(args.config)
    cfg.load_from = args.checkpoint
    own = evaluate(cfg, None)
    controls = [evaluate(cfg, seed) for seed in range(args.seeds)]
    report = {name: dict(own=value, random=[figures[name] for figures in controls]) for name, value in own.items()}
    for name, row in report.items():
        print(f'{name}  {row["own"]:.4f}  random {" ".join(f"{value:.4f}" for value in row["random"])}')
    if args.json:
        write_json(args.json, report)


if __name__ == '__main__':
    main()
