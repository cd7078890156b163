"""Parameter groups and optimizer wrappers."""

from florence.engine.optimizers.grouped import GroupedOptimWrapperConstructor
from florence.engine.optimizers.mixed_precision import AmpOptimWrapper

__all__ = ['AmpOptimWrapper', 'GroupedOptimWrapperConstructor']
