"""The script that hands over from phase to phase: order, resuming, stopping at a failure, passing a signal on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import REPO_ROOT
from mmengine.config import Config

SCRIPT = REPO_ROOT / 'tools/train_phases.sh'

# Stands in for the interpreter: notes its arguments, writes a checkpoint, fails or waits where a file tells it to.
PYTHON = """#!/usr/bin/env bash
echo "$*" >> calls
name=$(basename "$2" .py)
[ -f "fail-$name" ] && exit 7
if [ -f "wait-$name" ]; then
    trap 'echo saved >> calls; touch work_dirs/$name/iter_2.pth; exit 143' TERM
    mkdir -p "work_dirs/$name"; touch started
    while true; do sleep 0.05; done
fi
mkdir -p "work_dirs/$name"; touch "work_dirs/$name/iter_9.pth"
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the script on two configs in an empty folder."""
    (tmp_path / 'python').write_text(PYTHON)
    (tmp_path / 'python').chmod(0o755)
    for name in ('one', 'two'):
        (tmp_path / f'{name}.py').touch()
    monkeypatch.setenv('PYTHON', str(tmp_path / 'python'))
    monkeypatch.delenv('FLORENCE_RANKS', raising=False)

    def run(*arguments: str) -> subprocess.Popen:
        command = ['bash', str(SCRIPT), *arguments]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)

    return run


def calls(folder: Path) -> list[str]:
    lines = (folder / 'calls').read_text().splitlines()
    (folder / 'calls').unlink()
    return [line.replace(str(REPO_ROOT / 'tools') + '/', '') for line in lines]


def test_phases_run_in_order_and_resume_when_repeated(start, tmp_path):
    assert start('one.py', 'two.py', '--', '--amp').wait() == 0
    expected = [f'train.py {name}.py --work-dir work_dirs/{name} --amp --resume' for name in ('one', 'two')]
    assert calls(tmp_path) == expected
    assert start('one.py', 'two.py', '--', '--amp').wait() == 0
    assert calls(tmp_path) == expected


def test_a_failed_phase_stops_the_rest_and_the_next_try_begins_there(start, tmp_path):
    (tmp_path / 'fail-two').touch()
    process = start('one.py', 'two.py')
    assert process.wait() == 7 and 'phase two.py ended with status 7' in process.stderr.read()
    calls(tmp_path)
    (tmp_path / 'fail-two').unlink()
    assert start('one.py', 'two.py').wait() == 0
    assert calls(tmp_path) == [f'train.py {name}.py --work-dir work_dirs/{name} --resume' for name in ('one', 'two')]


@pytest.mark.parametrize('send', [lambda pid: os.kill(pid, signal.SIGTERM), lambda pid: os.killpg(pid, signal.SIGINT)])
def test_a_signal_or_a_key_reaches_the_phase_and_its_checkpoint_is_waited_for(send, start, tmp_path):
    (tmp_path / 'wait-one').touch()
    process = start('one.py', 'two.py')
    while not (tmp_path / 'started').exists():
        time.sleep(0.02)
    send(process.pid)
    assert process.wait(timeout=20) == 143
    assert calls(tmp_path) == ['train.py one.py --work-dir work_dirs/one --resume', 'saved']


def test_several_ranks(start, tmp_path, monkeypatch):
    monkeypatch.setenv('FLORENCE_RANKS', '2')
    process = start('one.py')
    process.wait()
    (line,) = calls(tmp_path)
    assert '--nproc_per_node=2' in line and line.endswith('train.py one.py --launcher pytorch --work-dir work_dirs/one --resume')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'usage:'),
        (('--', '--amp'), 'usage:'),
        (('one.py', 'three.py'), 'no config three.py'),
        (('one.py', '--amp'), 'arguments of tools/train.py come after --: CONFIG... -- --amp'),
        (('one.py', '--', '--work-dir=x'), '--work-dir=x cannot be given to several phases'),
        (('one.py', '--', '--load-from', 'x'), '--load-from cannot be given to several phases'),
    ],
)
def test_mistakes_get_one_sentence_before_anything_starts(start, tmp_path, arguments, message):
    process = start(*arguments)
    assert process.wait() == 2 and message in process.stderr.read()
    assert not (tmp_path / 'calls').exists()


@pytest.mark.parametrize(
    'phases',
    [
        ('unicl_coswin-h_stage1-1m_fld900m', 'unicl_coswin-h_stage2-180k_fld900m', 'unicl_coswin-h_stage3-80k-384_fld900m'),
        ('unicl_coswin-nano_10min_digits', 'unicl_coswin-nano_5min-stage2_digits', 'unicl_coswin-nano_3min-stage3-48_digits'),
    ],
)
def test_each_recipe_takes_the_phase_before_it(phases):
    configs = [Config.fromfile(REPO_ROOT / f'configs/unicl/{name}.py') for name in phases]
    assert [cfg.load_from for cfg in configs] == [None, *(f'work_dirs/{name}' for name in phases[:2])]
