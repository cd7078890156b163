"""Installs the mends before the test modules below import mmcv, mmdet or mmaction."""

import florence  # noqa: F401
