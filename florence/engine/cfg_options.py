"""`--cfg-options KEY=VALUE ...`, the overrides of a config on a command line.

Differs from mmengine's `DictAction`, which takes every blank out of a value ('red cell' becomes 'redcell') and leaves a dict a
text: what Python reads as a list, tuple, dict or quoted text is that.
"""

import argparse
import ast
import re
from typing import Any

from mmengine.config import DictAction

KEPT_BLANK = '\0'


class CfgOptionsAction(DictAction):
    """Key -> value; further options of the same name add to them."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        for item in values:
            if '=' not in item:
                parser.error(f'{option_string} {item!r}: expected KEY=VALUE, quoted as a whole where it holds blanks.')
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:
            parser.error(f'{option_string}: {error}')

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        if val.strip().startswith(('[', '(', '{', '"', "'")):
            try:
                return ast.literal_eval(val.strip())
            except (ValueError, SyntaxError):
                pass  # words without quotes: [red, blue]
        joined = re.sub(r'\s*([\[\](),])\s*', r'\1', val.strip())
        return _with_blanks(DictAction._parse_iterable(joined.replace(' ', KEPT_BLANK)))


def _with_blanks(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(KEPT_BLANK, ' ')
    return type(value)(map(_with_blanks, value)) if isinstance(value, list | tuple) else value


def add_cfg_options(parser: argparse.ArgumentParser, default: dict | None = None) -> None:
    """The argument, of every tool that takes a config."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptionsAction, default=default, metavar='KEY=VALUE', help='overrides, dotted keys'
    )
