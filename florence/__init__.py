"""Florence and Florence-2 as an OpenMMLab-style toolbox.

Importing the package costs nothing heavy: it only registers the lazy mends that let mmcv, mmdet and mmaction2 run on
current versions without a compiler (`florence.compat`). Models, data sets and metrics are imported on first look-up.
"""

from florence.compat import install as _install_compat
from florence.version import __version__

_install_compat()

__all__ = ['__version__']
