"""A COCO-style JSON file read piece by piece: one image or annotation at a time, never the whole file as objects.

Python's own decoder needs about fifteen times a file's size in memory; the 33 million boxes of FLOD-9M (arXiv 2111.11432, section
2.4) would take more than 50 GB. Here one chunk of text and one element are held at a time.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 22
AFTER_VALUE = frozenset(' \t\n\r,:]}')

_SPACE = re.compile(r'[ \t\n\r]*')
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class _Text:
    """A window on the text of a file that grows at its end and is cut at its start."""

    def __init__(self, path: Path, chunk: int) -> None:
        self._file = path.open(encoding='utf-8-sig')
        self._chunk = chunk
        self.buffer, self.at = '', 0

    def close(self) -> None:
        self._file.close()

    def grow(self) -> bool:
        """Read on; False at the end of the file."""
        more = self._file.read(max(self._chunk, len(self.buffer) - self.at))  # a long element doubles the window
        self.buffer = self.buffer[self.at :] + more
        self.at = 0
        return bool(more)

    def peek(self) -> str:
        """The next character that is no white space; empty at the end of the file."""
        while True:
            self.at = _SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.buffer) or not self.grow():
                return self.buffer[self.at : self.at + 1]

    def value(self) -> Any:
        """Decode the value that begins here."""
        self.peek()
        while True:
            try:
                value, end = _scan(self.buffer, self.at)
            except (StopIteration, json.JSONDecodeError):
                if self.grow():
                    continue
                raise
            # At the end of the window a number may look complete and go on after it: `0` of `0.5`, also when `0.` is there.
            if self.buffer[end : end + 1] not in AFTER_VALUE and self.grow():
                continue
            self.at = end
            return value

    def skip(self, expected: str) -> str:
        """Step over the next character.

        Raises:
            json.JSONDecodeError: If it is none of `expected`.
        """
        found = self.peek()
        if not found or found not in expected:
            raise json.JSONDecodeError(f'expected one of {expected}', self.buffer, self.at)
        self.at += 1
        return found


def stream_members(path: str | Path, chunk: int = CHUNK) -> Iterator[tuple[str, Any]]:
    """Every member of the object that the file holds; of a member that is a list each element by itself.

    Args:
        path: JSON file.
        chunk: Characters read at a time.

    Yields:
        Name of the member, and its value or one element of it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON object, or ends too early.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no annotation file at {path}.')
    text = _Text(path, chunk)
    last, count = '', 0
    try:
        for name, value in _members(text):
            count = count + 1 if name == last else 1
            last = name
            yield name, value
    except (StopIteration, json.JSONDecodeError, UnicodeDecodeError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not isinstance(error.__cause__, StopIteration):
            raise
        where = f'after {count} entries of {last!r}' if last else 'at its start'
        raise ValueError(f'{path} is cut short or no JSON object, {where}: copy or download it again.') from error
    finally:
        text.close()


def _members(text: _Text) -> Iterator[tuple[str, Any]]:
    text.skip('{')
    if text.peek() == '}':
        return
    closing = ','
    while closing == ',':
        name = text.value()
        text.skip(':')
        if text.peek() != '[':
            yield name, text.value()
        else:
            for element in _elements(text):
                yield name, element
        closing = text.skip(',}')


def _elements(text: _Text) -> Iterator[Any]:
    text.skip('[')
    if text.peek() == ']':
        text.skip(']')
        return
    closing = ','
    while closing == ',':
        yield text.value()
        closing = text.skip(',]')
