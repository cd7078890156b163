"""The runner with its loops, hooks, optimizers and strategies."""

from florence.engine.hooks import (
    CheckpointHook,
    EMAHook,
    FiniteLossHook,
    StopOnSignalHook,
    ThroughputHook,
    TrainTokenizerHook,
)
from florence.engine.loops import EpochTrainLoop, IterTrainLoop, MultiDatasetTestLoop, MultiDatasetValLoop
from florence.engine.optimizers import AmpOptimWrapper, GroupedOptimWrapperConstructor
from florence.engine.runner import StrategyRunner
from florence.engine.strategies import DDPStrategy, DeepSpeedStrategy, SingleStrategy

__all__ = [
    'AmpOptimWrapper',
    'CheckpointHook',
    'DDPStrategy',
    'DeepSpeedStrategy',
    'EMAHook',
    'EpochTrainLoop',
    'FiniteLossHook',
    'GroupedOptimWrapperConstructor',
    'IterTrainLoop',
    'MultiDatasetTestLoop',
    'MultiDatasetValLoop',
    'SingleStrategy',
    'StopOnSignalHook',
    'StrategyRunner',
    'ThroughputHook',
    'TrainTokenizerHook',
]
