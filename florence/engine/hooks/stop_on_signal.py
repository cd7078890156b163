"""SIGTERM (a scheduler wants the machine back) and Ctrl-C save a checkpoint and end the run."""

import os
import signal
import time
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook

from florence.engine.checkpoint_files import write_pointer
from florence.registry import HOOKS

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAME_KEY_PRESS = 1.0  # seconds: a launcher passes on the Ctrl-C that its ranks have had from the terminal, too


@HOOKS.register_module()
class StopOnSignalHook(Hook):
    """After the iteration in which the signal came: checkpoint, then exit with status 128 + signal. A second Ctrl-C ends at once.

    Args:
        agree_interval: Iterations between the moments at which ranks ask each other whether one was told to stop; a single
            process stops after the iteration at hand.
    """

    # After the periodic checkpoint: what that hook has just saved is not saved twice.
    priority = 'LOWEST'

    def __init__(self, agree_interval: int = 10) -> None:
        self.agree_interval = agree_interval
        self.received = 0
        self._received_at = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def before_train(self, runner) -> None:
        """Listen."""
        self._owner, self._train = os.getpid(), type(runner).train.__code__
        self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}

    def after_train(self, runner) -> None:
        """Listen no more."""
        self._give_handlers_back()

    def _give_handlers_back(self) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous or signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # a forked worker
            if number != signal.SIGINT:  # else its owner goes on to the end of the iteration, and ends it then
                os._exit(128 + number)
            return
        if not self._is_training(frame):
            self._give_handlers_back()
            os.kill(os.getpid(), number)
            return
        if number == signal.SIGINT and self.received and time.monotonic() - self._received_at > SAME_KEY_PRESS:
            raise KeyboardInterrupt
        if not self.received and number == signal.SIGINT:
            os.write(2, b'Ctrl-C: a checkpoint is saved after this iteration; again ends at once\n')
        self.received, self._received_at = number, time.monotonic()

    def _is_training(self, frame: FrameType | None) -> bool:
        """Whether the signal came within the training: one that an error ended has left the handler behind."""
        while frame is not None and frame.f_code is not self._train:
            frame = frame.f_back
        return frame is not None

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
        self._give_handlers_back()
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
