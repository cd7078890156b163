"""Starts a script as several gloo ranks on this machine."""

import os
import socket
import subprocess
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def start_ranks(script: Path, arguments: list[str], ranks: int = 2) -> list[subprocess.Popen]:
    """Start the processes; tests and repository are on their path."""
    env = {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': os.pathsep.join([str(REPO_ROOT), str(REPO_ROOT / 'tests')]),
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(free_port()),
        'WORLD_SIZE': str(ranks),
    }
    return [
        subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env={**env, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(ranks)
    ]


def run_ranks(script: Path, arguments: list[str], ranks: int = 2, timeout: float = 600) -> list[str]:
    """What each rank printed, once all have ended well."""
    processes = start_ranks(script, arguments, ranks)
    outputs = []
    try:
        for process in processes:
            outputs.append(process.communicate(timeout=timeout)[0])
            assert process.returncode == 0, outputs[-1][-4000:]
    finally:
        for process in processes:
            process.kill()
    return outputs
