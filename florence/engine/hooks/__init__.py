"""Hooks: they serve the loop, never the loss."""

from florence.engine.hooks.checkpoint import CheckpointHook
from florence.engine.hooks.class_list import ClassListHook
from florence.engine.hooks.ema import EMAHook
from florence.engine.hooks.finite_loss import FiniteLossHook
from florence.engine.hooks.num_classes import NumClassesHook
from florence.engine.hooks.stop_on_signal import StopOnSignalHook
from florence.engine.hooks.throughput import ThroughputHook
from florence.engine.hooks.train_tokenizer import TrainTokenizerHook

__all__ = [
    'CheckpointHook',
    'ClassListHook',
    'EMAHook',
    'FiniteLossHook',
    'NumClassesHook',
    'StopOnSignalHook',
    'ThroughputHook',
    'TrainTokenizerHook',
]
