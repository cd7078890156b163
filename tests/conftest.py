"""Seeds, the folder of real test data, and small helpers shared by all tests."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2)

REPO_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def default_scope_restored():
    """A runner sets mmengine's global default scope; a test must not find that of another, nor of a fixture of a module."""
    from mmengine.registry import DefaultScope

    DefaultScope._instance_dict.clear()
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random state, on one thread (two busy threads are slower on small tensors)."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def test_data() -> Path:
    """Folder of small real data sets; the test skips where there is none."""
    folder = Path(os.environ.get('FLORENCE_TEST_DATA', REPO_ROOT.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no test data at {folder}: set FLORENCE_TEST_DATA')
    return folder


@pytest.fixture
def repo_root() -> Path:
    return REPO_ROOT


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
