"""Parameter groups and optimizer wrappers."""

from florence.engine.optimizers.grouped import GroupedOptimWrapperConstructor

__all__ = ['GroupedOptimWrapperConstructor']
