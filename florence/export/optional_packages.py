"""Packages that only an export needs."""

import importlib
from types import ModuleType


def import_packages(*names: str) -> list[ModuleType]:
    """Import packages that a plain installation lacks.

    Args:
        names: Of the packages, as pip knows them too.

    Raises:
        ImportError: If one is missing; says how to install all of them.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise ImportError(f'{error}: exported models need `pip install {" ".join(names)}`') from error
