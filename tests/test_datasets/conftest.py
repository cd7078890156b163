"""Small sets with planted faults, and the log of bad samples as a list of lines."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image


@pytest.fixture
def train_pipeline() -> list[dict]:
    return [
        dict(type='florence.LoadImage'),
        dict(type='florence.PickCaption'),
        dict(type='florence.HashTextLabel'),
        dict(type='florence.PackImageText'),
    ]


@pytest.fixture
def make_pairs(tmp_path):
    """Write `count` jpg images with `pairs.json`; a fault is 'truncated', 'missing' or 'empty', by index."""

    def make(count: int, faults: dict[int, str] | None = None) -> Path:
        (tmp_path / 'pairs.json').write_text(json.dumps(_write_images(tmp_path, count, faults or {})))
        return tmp_path

    return make


def _write_images(folder: Path, count: int, faults: dict[int, str]) -> list[dict]:
    records = []
    for index in range(count):
        fault = faults.get(index)
        path = folder / f'{index}.jpg'
        if fault != 'missing':
            Image.fromarray(np.full((16, 16, 3), 10 + index % 200, np.uint8)).save(path)
        if fault == 'truncated':
            path.write_bytes(path.read_bytes()[:200])
        records.append({'image': path.name, 'text': ' ' if fault == 'empty' else f'picture number {index}'})
    return records


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log_lines():
    """Messages that mmengine's logger gets in this process during the test."""
    logger, handler = MMLogger.get_current_instance(), _Lines()
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
