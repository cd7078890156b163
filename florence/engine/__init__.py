"""Loops, hooks, optimizers and strategies around mmengine's runner."""

from florence.engine.hooks import TrainTokenizerHook
from florence.engine.loops import MultiDatasetTestLoop, MultiDatasetValLoop
from florence.engine.optimizers import GroupedOptimWrapperConstructor

__all__ = ['GroupedOptimWrapperConstructor', 'MultiDatasetTestLoop', 'MultiDatasetValLoop', 'TrainTokenizerHook']
