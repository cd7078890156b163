"""Inputs of a long run, one after another: what cannot be read is left out and named, and does not end the run."""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from mmengine.logging import print_log

T = TypeVar('T')


def read_each(inputs: Sequence[Any], read: Callable[[Any], T], kind: str) -> Iterator[tuple[int, T]]:
    """Index and content of each input that can be read; the log names the others after the last one.

    Args:
        inputs: What to read, usually paths.
        read: Raises `FileNotFoundError` or `ValueError`, which name the input.
        kind: What an input is, for messages: 'image'.

    Raises:
        ValueError: If none can be read.
    """
    problems: list[Exception] = []
    for index, source in enumerate(inputs):
        try:
            content = read(source)
        except (FileNotFoundError, ValueError) as error:
            problems.append(error)
            continue
        yield index, content
    if problems and len(inputs) > 1:
        warn('\n  '.join([f'{len(problems)} of {len(inputs)} {kind}s are left out:', *map(str, problems)]))
    if len(problems) == len(inputs):
        raise ValueError(f'no {kind} can be read: {problems[0]}') from problems[0]


def warn(message: str) -> None:
    """Log a warning."""
    print_log(message, logger='current', level=logging.WARNING)


def in_batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one of what is left."""
    while batch := list(islice(items, size)):
        yield batch
