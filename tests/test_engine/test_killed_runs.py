"""Ten SIGKILLs, half of them in the middle of a save: the resumed runs give the losses of an uninterrupted one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ranks import REPO_ROOT


@pytest.mark.parametrize('strategy', ['single', 'zero2'])
def test_losses_survive_ten_kills(strategy, tmp_path):
    script = Path(__file__).with_name('killed_runs.py')
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': f'{REPO_ROOT}{os.pathsep}{REPO_ROOT / "tests"}'}
    command = [sys.executable, script, tmp_path, strategy, '10', '1']
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stderr[-2000:] + (tmp_path / 'killed' / 'log_0.txt').read_text()[-2000:]
    result = json.loads((tmp_path / 'result.json').read_text())
    whole = {iteration: loss for iteration, loss in result['whole']}
    assert sorted(whole) == list(range(1, 25))
    assert {iteration for iteration, _ in result['killed']} == set(whole), 'no iteration is left out'
    assert result['kills_in_save'] >= 4
    assert len(result['killed']) > len(whole), 'iterations after the last checkpoint were repeated'
    for iteration, loss in result['killed']:
        assert loss == pytest.approx(whole[iteration], rel=1e-6), f'iteration {iteration}'
