"""The table of several evaluations."""

import json
import subprocess
import sys

import pytest
from conftest import REPO_ROOT

SCRIPT = REPO_ROOT / 'tools/analysis_tools/result_table.py'


@pytest.fixture
def table(tmp_path):
    """Run the tool on files of two runs."""
    for name, figures in (('one', {'a/AP': 12.34, 'b': 1}), ('two', {'a/AP': 50.0, 'b': 99.96})):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'metrics.json').write_text(json.dumps(figures))

    def run(*metrics, files=('one/metrics.json', 'two/metrics.json')):
        command = [sys.executable, str(SCRIPT), *files, '--metrics', *metrics]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={'PYTHONPATH': str(REPO_ROOT)})

    return run


def test_a_row_for_each_run_and_a_column_for_each_figure(table):
    assert table('b', 'a/AP').stdout.splitlines() == [
        '| run | b | a/AP |', '| --- | --- | --- |', '| one | 1.0 | 12.3 |', '| two | 100.0 | 50.0 |',
    ]  # fmt: skip


@pytest.mark.parametrize(
    'metrics, files, sentence',
    [
        (['c'], ['one/metrics.json'], "one/metrics.json has no 'c', it has a/AP, b"),
        (['b'], ['three/metrics.json'], 'no file three/metrics.json: evaluate first'),
    ],
)
def test_what_is_missing_is_named(table, metrics, files, sentence):
    found = table(*metrics, files=files)
    assert found.returncode == 1 and sentence in found.stderr and 'Traceback' not in found.stderr
