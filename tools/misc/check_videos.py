"""Find the videos of a config that cannot be read, before a training or a test meets them.

    python tools/misc/check_videos.py CONFIG [--split train|val|test] [--backend pyav] [--workers N] [--cfg-options ...]

Opens every video and decodes its first, middle and last frame. Prints a line for each bad video; exit status 1 if there is one.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from florence.datasets.video.open_video import BACKENDS
from florence.datasets.video.video_faults import fault_of
from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import load_config


def video_files(cfg: Config, split: str) -> list[str]:
    """The videos of a data set, each once.

    Raises:
        FileNotFoundError: If the annotation or a video is missing.
        KeyError: If the config has no data of this split.
        ValueError: If they are no video files, or the annotation cannot be read.
    """
    key = f'{split}_dataloader'
    if not cfg.get(key):
        raise KeyError(f'the config has no {key}.')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'florence'):
        dataset = DATASETS.build(cfg[key].dataset)
    infos = map(dataset.get_data_info, range(len(dataset))) if hasattr(dataset, 'get_data_info') else [{}]
    files = list(dict.fromkeys(info.get('filename') for info in infos))
    if None in files:
        raise ValueError(f'the data set of {key}, {type(dataset).__name__}, names no video files.')
    return files


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or mmaction::NAME.py for one that a package ships')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='whose data; default: train')
    parser.add_argument('--backend', choices=tuple(BACKENDS), default='pyav', help="the decoder, that of the config's OpenVideo")
    parser.add_argument('--workers', type=int, help='processes; default: one for each core')
    add_cfg_options(parser)
    args = parser.parse_args(arguments)
    num_bad = 0
    try:
        files = video_files(load_config(args.config, args.cfg_options), args.split)
        with ProcessPoolExecutor(args.workers) as pool:
            for fault in filter(None, pool.map(partial(fault_of, backend=args.backend), files, chunksize=8)):
                num_bad += 1
                print(fault, flush=True)
    except (ImportError, KeyError, OSError, ValueError) as error:
        sys.exit(f'error: {error.args[0] if isinstance(error, KeyError) else error}')
    print(f'{num_bad} of {len(files)} videos are bad')
    sys.exit(1 if num_bad else 0)


if __name__ == '__main__':
    main()
