"""Where and how a model trains: one process, data parallel, or sharded by deepspeed."""

from florence.engine.strategies.ddp import DDPStrategy
from florence.engine.strategies.deepspeed import DeepSpeedStrategy
from florence.engine.strategies.deepspeed_model import DeepSpeedModel, DeepSpeedOptimWrapper
from florence.engine.strategies.single import SingleStrategy

__all__ = ['DDPStrategy', 'DeepSpeedModel', 'DeepSpeedOptimWrapper', 'DeepSpeedStrategy', 'SingleStrategy']
