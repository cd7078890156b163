"""A data set around another one that other people's hooks do not notice."""

from typing import Any

OWN_FIELD = '_own'


class WrappedDataset:
    """Reads and writes of attributes go to the data set within: hooks read `metainfo`, and some set `pipeline`.

    A subclass keeps its own fields through `_keep` and reads them through `_own`.

    Args:
        wrapped: The data set within.
    """

    def __init__(self, wrapped: Any) -> None:
        self._keep(wrapped=wrapped)

    def _keep(self, **fields: Any) -> None:
        self.__dict__.setdefault(OWN_FIELD, {}).update(fields)

    @property
    def wrapped(self) -> Any:
        """The data set within."""
        return self._own['wrapped']

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling probe an object that has no fields yet.
        if name.startswith('__') or OWN_FIELD not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._own['wrapped'], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._own['wrapped'], name, value)
