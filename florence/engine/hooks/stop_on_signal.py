"""SIGTERM (a scheduler wants the machine back) saves a checkpoint and ends the run."""

import os
import signal
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook

from florence.engine.checkpoint_files import write_pointer
from florence.registry import HOOKS


@HOOKS.register_module()
class StopOnSignalHook(Hook):
    """After the iteration in which the signal came: checkpoint, then exit with status 128 + signal.

    Args:
        agree_interval: Iterations between the moments at which ranks ask each other whether one was told to stop; a single
            process stops after the iteration at hand.
    """

    # After the periodic checkpoint: what that hook has just saved is not saved twice.
    priority = 'LOWEST'

    def __init__(self, agree_interval: int = 10) -> None:
        self.agree_interval = agree_interval
        self.received = 0
        self._previous: Any = None

    def before_train(self, runner) -> None:
        """Listen."""
        self._owner = os.getpid()
        self._previous = signal.signal(signal.SIGTERM, self._note)

    def after_train(self, runner) -> None:
        """Listen no more."""
        signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)

    def _note(self, number: int, frame: Any) -> None:
        if os.getpid() != self._owner:  # a forked worker is to end at once
            os._exit(128 + number)
        self.received = number

    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None) -> None:
        """Save and exit, if the signal came to any rank.

        Raises:
            SystemExit: After the checkpoint was saved.
        """
        number = self._agreed(runner)
        if not number:
            return
        name = f'iter_{runner.iter + 1}.pth'
        path = os.path.join(runner.work_dir, name)
        # A file of that name may also be of an earlier run in this folder, which went another way.
        if runner.message_hub.runtime_info.get('last_ckpt') != path:
            runner.save_checkpoint(runner.work_dir, name, by_epoch=False)
        if is_main_process():
            write_pointer(runner.work_dir, path)
        signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)
        runner.logger.info(f'told to stop by signal {number}: saved {path}; the same command with --resume goes on from it')
        raise SystemExit(128 + number)

    def _agreed(self, runner) -> int:
        if get_world_size() == 1:
            return self.received
        if (runner.iter + 1) % self.agree_interval:
            return 0
        number = torch.tensor(self.received)
        all_reduce(number, 'max')
        return int(number)
