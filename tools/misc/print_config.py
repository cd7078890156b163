"""Print a config with everything it inherits: `python tools/misc/print_config.py CONFIG [--where] [--cfg-options ...]`.

`--where` prints, for every typed dict, its path in the config, the type, and the file and line of its class.
"""

import argparse
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import iter_types, load_config, resolve_type, source_location


def main() -> None:
    parser = argparse.ArgumentParser(description='Print a config.')
    parser.add_argument('config', help='config file, or mmdet::NAME.py for one that a package ships')
    parser.add_argument('--where', action='store_true', help='print where each type is defined')
    add_cfg_options(parser)
    args = parser.parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        if not args.where:
            print(cfg.pretty_text)
            return
        for path, type_name, scope in iter_types(cfg, scope=cfg.get('default_scope')):
            target = resolve_type(type_name, scope)
            print(f'{path}  {type_name}  {source_location(target)}')
    except (FileNotFoundError, KeyError) as error:
        sys.exit(f'error: {error.args[0]}')


if __name__ == '__main__':
    main()
