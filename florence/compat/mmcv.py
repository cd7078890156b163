"""Mends for mmcv 2.x (onedl-mmcv) installed without its compiled extension.

* `mmcv._ext`, which `mmcv.ops` and therefore `import mmdet` need, is served from `florence.compat.mmcv_ops`
  where it was not compiled. A compiled extension is used untouched.
* `mmcv.utils.check_ops_exist` asks `pkgutil.find_loader`, deprecated in Python 3.12 and gone in 3.14.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from florence.compat.finder import Mend


def _fill_ext(module: Any) -> None:
    from florence.compat import mmcv_ops

    module.__doc__ = mmcv_ops.__doc__
    module.__dict__.update(mmcv_ops.SERVED)
    module.__getattr__ = mmcv_ops.not_served


@contextmanager
def _current_check_ops_exist(module: Any) -> Iterator[None]:
    yield
    module.check_ops_exist = check_ops_exist


def check_ops_exist() -> bool:
    """Whether `mmcv._ext` can be imported; takes the place of mmcv's function of the same name."""
    return importlib.util.find_spec('mmcv._ext') is not None


MENDS = (
    Mend('mmcv._ext', stand_in=_fill_ext),
    Mend('mmcv.utils.ext_loader', around=_current_check_ops_exist),
    Mend('mmcv.utils', around=_current_check_ops_exist),
)
