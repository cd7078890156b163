"""Hooks: they serve the loop, never the loss."""

from florence.engine.hooks.train_tokenizer import TrainTokenizerHook

__all__ = ['TrainTokenizerHook']
