"""Mends that let mmengine, mmcv, mmdet and mmaction2 run on current torch and numpy, without compiled ops.

`install()` puts one import finder on `sys.meta_path`. Nothing else happens until one of the mended modules is
imported, so it costs next to nothing and imports neither torch nor any of those libraries. The mends of each
library are listed in the file that bears its name.
"""

from florence.compat import deepspeed, mmaction, mmcv, mmengine
from florence.compat.finder import MendingFinder

__all__ = ['install']


def install() -> None:
    """Put the mending finder on `sys.meta_path`, once; mend the modules that are already imported."""
    MendingFinder.install([*mmengine.MENDS, *mmcv.MENDS, *mmaction.MENDS, *deepspeed.MENDS])
