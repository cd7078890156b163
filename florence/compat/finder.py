"""The import finder that mends third-party modules when, and only when, they are imported.

A mend names one module. It wraps the module's own body (`around`), gives a body to a module that the
installed library lacks (`stand_in`), or puts that body in the place of the library's (`stand_in` with
`replace`).
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NamedTuple


class Mend(NamedTuple):
    """What to do about one module of another library.

    Attributes:
        module: Full name of the module.
        around: Context manager entered with the module just before its body runs and left just after.
        stand_in: Fills a fresh, empty module where the installed library has none of that name.
        replace: Use `stand_in` even where the library has such a module.
        is_package: The stand-in may have submodules.
    """

    module: str
    around: Callable[[ModuleType], AbstractContextManager] | None = None
    stand_in: Callable[[ModuleType], None] | None = None
    replace: bool = False
    is_package: bool = False


class _MendedLoader(importlib.abc.Loader):
    """The module's own loader, with the mend entered around the execution of its body."""

    def __init__(self, loader: Any, around: Callable[[ModuleType], AbstractContextManager]) -> None:
        self._loader = loader
        self._around = around

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with self._around(module):
            self._loader.exec_module(module)


class _StandInLoader(importlib.abc.Loader):
    """Fills an empty module instead of running a file."""

    def __init__(self, fill: Callable[[ModuleType], None]) -> None:
        self._fill = fill

    def exec_module(self, module: ModuleType) -> None:
        self._fill(module)


class MendingFinder(importlib.abc.MetaPathFinder):
    """Finds the modules named by `mends` and leaves every other name to the other finders."""

    def __init__(self, mends: Iterable[Mend]) -> None:
        self._mends = {mend.module: mend for mend in mends}

    @classmethod
    def install(cls, mends: Iterable[Mend]) -> None:
        """Put a finder first on `sys.meta_path` unless one is there, and mend what is already imported."""
        if any(isinstance(finder, cls) for finder in sys.meta_path):
            return
        finder = cls(mends)
        sys.meta_path.insert(0, finder)
        finder.mend_imported()

    def mend_imported(self) -> None:
        """Apply the `around` mends to the modules in `sys.modules`, which no longer pass through a finder."""
        for name, mend in self._mends.items():
            module = sys.modules.get(name)
            if module is not None and mend.around is not None:
                with mend.around(module):
                    pass

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`; `None` for a name that needs no mend."""
        mend = self._mends.get(fullname)
        if mend is None:
            return None
        spec = None if mend.replace else self._find_original(fullname, path, target)
        if spec is None:
            if mend.stand_in is None:
                return None
            return importlib.util.spec_from_loader(fullname, _StandInLoader(mend.stand_in), is_package=mend.is_package)
        if mend.around is not None and spec.loader is not None:
            spec.loader = _MendedLoader(spec.loader, mend.around)
        return spec

    def _find_original(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = getattr(finder, 'find_spec', None)
            if isinstance(finder, MendingFinder) or find_spec is None:
                continue
            spec = find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None
