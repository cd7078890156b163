"""One process, one device."""

from mmengine._strategy import SingleDeviceStrategy

from florence.engine.strategies.any_checkpoint import AnyCheckpoint
from florence.engine.strategies.prepared_model import PreparedModel
from florence.engine.strategies.whole_checkpoints import WholeCheckpoints
from florence.registry import STRATEGIES


@STRATEGIES.register_module()
class SingleStrategy(WholeCheckpoints, AnyCheckpoint, PreparedModel, SingleDeviceStrategy):
    """Training and evaluation in one process.

    Args:
        activation_checkpointing: Patterns of module names, see `florence.engine.activation_checkpointing`.
        **kwargs: What the runner passes on.
    """
