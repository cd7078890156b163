"""Labels must be the same in every process, for ever: checkpoints, shards and ranks all rely on it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from florence.tasks.text_hash import UNLABELLED, text_label

# First 16 hex digits of `printf TEXT | b2sum -l 64`, an outside implementation; the top bit is cleared.
GOLDEN = {
    'dog': 0x3984C7C1D25E9C9F,
    'a photo of the dog.': 0x2A172C559942A55B,
    ' Dog ': 0x087C0ABCF4CFF0E9,
    'Stra\xdfe': 0x3EEF1167E8C89A12,
    '': 0xE4A6A0577479B2B4,
}


@pytest.mark.parametrize('text', GOLDEN)
def test_label_equals_b2sum_without_its_top_bit(text):
    assert text_label(text) == GOLDEN[text] % 2**63


def test_golden_values_cover_a_set_top_bit():
    assert any(value >= 2**63 for value in GOLDEN.values())


@pytest.mark.parametrize('hash_seed', ['0', '1', '12345'])
def test_label_does_not_depend_on_the_process(hash_seed, repo_root):
    """Python's own hash is salted by PYTHONHASHSEED; ours must not be. Loading the file alone is quick."""
    path = repo_root / 'florence' / 'tasks' / 'text_hash.py'
    code = f"import runpy; print(runpy.run_path({str(path)!r})['text_label']('a red seven'))"
    result = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONHASHSEED': hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(result.stdout) == text_label('a red seven')


@given(st.text())
def test_label_is_a_non_negative_int64(text):
    label = text_label(text)
    assert 0 <= label <= np.iinfo(np.int64).max
    assert label != UNLABELLED


@given(st.text(), st.text())
def test_only_identical_texts_share_a_label(first, second):
    assert (text_label(first) == text_label(second)) == (first == second)


def test_normalization_decides_what_is_the_same():
    assert text_label(' Dog ') != text_label('Dog')
    assert text_label(' Dog ', 'strip') == text_label('Dog', 'strip') != text_label('dog', 'strip')
    assert text_label(' Dog ', 'casefold') == text_label('dog', 'casefold') == text_label('dog')


def test_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match='none, strip, casefold'):
        text_label('dog', 'lower')


def test_no_collision_among_many_texts():
    assert len({text_label(f'text {i}') for i in range(100_000)}) == 100_000
