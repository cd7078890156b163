"""Every rank holds the whole model; gradients are averaged (`torch.nn.parallel.DistributedDataParallel`)."""

import mmengine._strategy
import torch
from mmengine.dist import init_dist, is_distributed

from florence.engine.strategies.any_checkpoint import AnyCheckpoint
from florence.engine.strategies.prepared_model import PreparedModel
from florence.engine.strategies.whole_checkpoints import WholeCheckpoints
from florence.registry import STRATEGIES


@STRATEGIES.register_module()
class DDPStrategy(WholeCheckpoints, AnyCheckpoint, PreparedModel, mmengine._strategy.DDPStrategy):
    """Data-parallel training over NCCL, or over gloo without an accelerator.

    Args:
        model_wrapper: Config of the wrapper, e.g. `dict(find_unused_parameters=True)`.
        sync_bn: 'torch' or 'mmcv': batch norm over all ranks.
        activation_checkpointing: Patterns of module names, see `florence.engine.activation_checkpointing`.
        **kwargs: What the runner passes on.
    """

    def __init__(self, *, model_wrapper: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        wrapper = {'type': 'MMDistributedDataParallel', 'broadcast_buffers': False, **(model_wrapper or {})}
        if not torch.accelerator.is_available():
            wrapper.setdefault('device_ids', None)
        self.model_wrapper = wrapper

    def _setup_distributed(self, launcher: str = 'pytorch', backend: str = 'nccl', **kwargs) -> None:
        if not is_distributed():
            init_dist(launcher, backend if torch.accelerator.is_available() else 'gloo', **kwargs)
