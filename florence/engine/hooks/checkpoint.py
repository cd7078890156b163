"""Periodic checkpoints of which the newest whole one is never at risk."""

import mmengine.hooks
from mmengine.dist import is_main_process

from florence.engine.checkpoint_files import remove_checkpoint, remove_leftovers, write_pointer
from florence.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(mmengine.hooks.CheckpointHook):
    """mmengine's hook in another order: the new checkpoint is written first, then old ones are removed.

    mmengine removes first, so that a run killed while it saves, with `max_keep_ckpts=1`, has none left. `last_checkpoint` is
    replaced atomically, and after the checkpoint that it names. What a killed save left behind is cleared at the start.
    """

    def before_train(self, runner) -> None:
        """As mmengine's; on the main process leftovers are cleared."""
        super().before_train(runner)
        if is_main_process():
            remove_leftovers(self.out_dir)

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        limited = self.max_keep_ckpts > 0
        kept = [*(old for old in self.keep_ckpt_ids if old != step), step] if limited else []
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        if limited:
            # In the checkpoint those that are about to go are listed too: killed before it has removed them, a run does it later.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
        )
        if is_main_process():
            write_pointer(runner.work_dir, self.last_ckpt)
            for old in kept[: -self.max_keep_ckpts]:
                remove_checkpoint(self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))
        if limited:
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(kept)  # a deque of max_keep_ckpts entries: the oldest fall out
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
