"""Trains the tiny model, killing its processes with SIGKILL again and again, some of the times in the middle of a save, and
resuming.

Usage: killed_runs.py OUT_DIR single|zero2 KILLS SEED; writes OUT_DIR/result.json. Every run is a fork of this process, which has
imported everything: thirty starts cost what one costs.
"""

import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import torch
from mmengine.hooks import Hook
from tiny_training import tiny_config, train

from florence.compat.module_view import ModuleView
from florence.engine import checkpoint_files
from florence.registry import HOOKS

MAX_ITERS = 24
SAVE_INTERVAL = 3


@HOOKS.register_module()
class LossFile(Hook):
    """Appends each loss to a file, at once."""

    def __init__(self, file: str) -> None:
        self.file = file

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with open(self.file, 'a') as file:
            file.write(f'{runner.iter + 1} {float(outputs["loss"])!r}\n')


def run(out: Path, strategy: str, rank: int, ranks: int, port: int, halt_at_save: int) -> None:
    """One process of one run; resumes what is there.

    Args:
        halt_at_save: The save of this number writes half a file, says so in OUT_DIR/saving, and waits to be killed; 0 = none.
    """
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    options = {
        'train_cfg.max_iters': MAX_ITERS,
        'default_hooks.checkpoint.interval': SAVE_INTERVAL,
        'default_hooks.checkpoint.max_keep_ckpts': 2,
        'model.image_tower.drop_path_rate': 0.3,
        'resume': True,
    }
    if strategy == 'zero2':
        options['strategy'] = {'type': 'DeepSpeedStrategy', 'stage': 2}
    cfg = tiny_config(out / 'run', options, launcher='none' if ranks == 1 else 'pytorch', ranks=ranks)
    if rank == 0:
        cfg.custom_hooks.append(dict(type='florence.LossFile', file=str(out / 'losses.txt')))
    if halt_at_save and rank == 0:
        _halt(halt_at_save, out / 'saving')
    train(cfg)


def _halt(number: int, marker: Path) -> None:
    save, count = torch.save, 0

    def half_save(content, path, *args, **kwargs):
        nonlocal count
        count += 1
        save(content, path, *args, **kwargs)
        if count == number:
            os.truncate(path, os.path.getsize(path) // 2)
            marker.touch()
            time.sleep(60)

    checkpoint_files.torch = ModuleView(torch, save=half_save)


def start(out: Path, strategy: str, halt_at_save: int = 0) -> list[int]:
    """Fork the processes of a run; returns their ids."""
    ranks = 1 if strategy == 'single' else 2
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(ranks):
        child = os.fork()
        if child == 0:
            log = os.open(out / f'log_{rank}.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            status = 1
            try:
                run(out, strategy, rank, ranks, port, halt_at_save)
                status = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            os._exit(status)
        children.append(child)
    return children


def preload(out: Path) -> None:
    """Import whatever a run imports on its way, by running one."""
    import deepspeed.runtime.engine
    import deepspeed.runtime.zero.stage_1_and_2  # noqa: F401

    train(tiny_config(out, {'train_cfg.max_iters': 1}))


def losses_of(out: Path) -> list[tuple[int, float]]:
    file = out / 'losses.txt'
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(line.split()[0]), float(line.split()[1])) for line in lines if len(line.split()) == 2]


def finish(children: list[int]) -> None:
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(codes):
        raise SystemExit(f'a run ended with {codes}')


def main() -> None:
    out, strategy, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    draw = random.Random(seed)
    whole, killed = out / 'whole', out / 'killed'
    for folder in (whole, killed):
        folder.mkdir(parents=True)
    preload(out / 'preload')
    finish(start(whole, strategy))
    in_save = 0
    for kill in range(kills):
        marker = killed / 'saving'
        marker.unlink(missing_ok=True)
        during_save = kill % 2 == 1
        done = len(losses_of(killed))
        children = start(killed, strategy, halt_at_save=draw.choice((1, 2)) if during_save else 0)
        steps = draw.randrange(1, SAVE_INTERVAL + 2)
        while len(losses_of(killed)) < done + steps if not during_save else not marker.exists():
            if os.waitpid(children[0], os.WNOHANG)[0]:
                break
            time.sleep(0.002)
        else:
            in_save += during_save
            time.sleep(draw.random() * 0.03)
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except (ChildProcessError, ProcessLookupError):
                pass
    finish(start(killed, strategy))
    result = {'whole': losses_of(whole), 'killed': losses_of(killed), 'kills_in_save': in_save}
    (out / 'result.json').write_text(json.dumps(result))


if __name__ == '__main__':
    main()
