"""Loops for mmengine's runner."""

from florence.engine.loops.multi_dataset import MultiDatasetTestLoop, MultiDatasetValLoop

__all__ = ['MultiDatasetTestLoop', 'MultiDatasetValLoop']
