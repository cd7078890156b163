"""Under ZeRO-3 a model is evaluated whole.

Split weights are gathered module by module, in which all ranks must take the same steps. An evaluation does not: answers differ
in length, and ranks in their number of batches. So each rank puts the weights together once, and then evaluates by itself.
"""

from typing import Any

from florence.engine.strategies.sharded_weights import is_partitioned


class WholeInEvaluation:
    """Puts the weights of a ZeRO-3 engine together and splits them again; of other stages there is nothing to do.

    Args:
        engine: Of deepspeed.
    """

    def __init__(self, engine: Any) -> None:
        self._offload = getattr(engine.optimizer, 'parameter_offload', None)
        self._parameters = [parameter for parameter in engine.module.parameters() if is_partitioned(parameter)]
        self.is_whole = False

    def gather(self) -> None:
        """Make the weights whole, and keep deepspeed from splitting them after each module; every rank must call it."""
        if self._offload is None:
            return
        if not self.is_whole:
            for hook in (*self._offload.forward_hooks, *self._offload.backward_hooks):
                hook.remove()
            self._offload.forward_hooks, self._offload.backward_hooks = [], []
            self.is_whole = True
        # Saving a checkpoint splits them.
        if any(parameter.data.numel() != parameter.ds_numel for parameter in self._parameters):
            self._parameters[0].all_gather(param_list=self._parameters)

    def split(self) -> None:
        """Split the weights again, for training."""
        if not self.is_whole:
            return
        self._parameters[0].partition(param_list=self._parameters)
        self._offload._register_deepspeed_module(self._offload.module)
        self.is_whole = False
