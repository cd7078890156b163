"""Loops for mmengine's runner."""

from florence.engine.loops.fused_retrieval import FusedRetrievalTestLoop, FusedRetrievalValLoop
from florence.engine.loops.multi_dataset import MultiDatasetTestLoop, MultiDatasetValLoop
from florence.engine.loops.resumable import EpochTrainLoop, IterTrainLoop

__all__ = [
    'EpochTrainLoop',
    'FusedRetrievalTestLoop',
    'FusedRetrievalValLoop',
    'IterTrainLoop',
    'MultiDatasetTestLoop',
    'MultiDatasetValLoop',
]
