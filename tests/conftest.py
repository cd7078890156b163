"""Seeds, the folder of real test data, and small helpers shared by all tests."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2)

REPO_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def default_scope_restored():
    """A runner sets mmengine's global default scope; the next test must not find it."""
    from mmengine.registry import DefaultScope

    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random state, on one thread (two busy threads are slower on small tensors)."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def test_data() -> Path:
    """Folder of small real data sets; the test skips where there is none."""
    folder = Path(os.environ.get('FLORENCE_TEST_DATA', REPO_ROOT.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no test data at {folder}: set FLORENCE_TEST_DATA')
    return folder


@pytest.fixture
def repo_root() -> Path:
    return REPO_ROOT
