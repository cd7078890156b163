"""Put the weights that deepspeed saved in parts together: one `.pth` in fp32 that every strategy, and plain torch, can load.

    python tools/model_converters/deepspeed_to_pth.py work_dirs/NAME/iter_1000.shards weights.pth
    python tools/model_converters/deepspeed_to_pth.py deepspeed_output weights.pth       # a folder with a file `latest`

Our own trainings write such a file beside the parts (`iter_1000.pth`): this is for parts that lost it, and for those of others.
Weights are the trained ones, also where the run kept an average.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmengine)
from florence.engine.checkpoint_files import save_checkpoint_file
from florence.engine.strategies.read_checkpoint import read_checkpoint


def convert(source: Path, target: Path) -> int:
    """Write the file, atomically.

    Args:
        source: Folder with `*_model_states.pt` files, or one that holds such folders and a file `latest`.
        target: `.pth` file.

    Returns:
        Number of values in all weights.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no weights, or one of them is NaN or infinite.
    """
    if source.is_file():
        raise ValueError(f'{source} is a file: expected the folder that deepspeed saved; a .pth loads as it is.')
    if not source.is_dir():
        raise FileNotFoundError(f'no folder {source}: check the path.')
    checkpoint = read_checkpoint(source)
    save_checkpoint_file(checkpoint, target)
    return sum(value.numel() for value in checkpoint['state_dict'].values() if hasattr(value, 'numel'))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='folder that deepspeed saved')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth file')
    args = parser.parse_args(arguments)
    try:
        print(f'{convert(args.source, args.target) / 1e6:.2f} M values in {args.target}')
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
