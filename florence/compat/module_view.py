"""A module seen with some of its names exchanged, the module itself left as it is for everybody else."""

from types import ModuleType
from typing import Any


class ModuleView(ModuleType):
    """Reads `overrides` first and `original` for every other name.

    Give it to one module of a library in place of, say, its `np`: that module alone then sees the exchanged
    names.
    """

    def __init__(self, original: ModuleType, **overrides: Any) -> None:
        super().__init__(original.__name__, original.__doc__)
        self.__dict__.update(overrides, _original=original)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['_original'], name)
