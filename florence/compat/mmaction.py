"""Mends for mmaction2 1.2.0, the last release.

* It asserts mmcv < 2.2; it works with 2.2 and 2.3.
* Its wheel lacks the package `mmaction.models.localizers.drn` (open-mmlab/mmaction2#2714), which
  `mmaction.models` imports. The stand-in's `DRN` says so when built; nothing is registered under that name.
* `mmaction.models.multimodal` (VindLU) imports names that transformers removed, and `importlib_metadata` and
  `timm` without requiring them. An empty package stands in for it, so VindLU's types are unknown to the
  registry.
* Its heads turn scores into numpy arrays, which bfloat16 ones cannot become: they get single precision.
* Five modules use names that numpy 2 removed. Only those modules see them again; numpy is left as it is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from florence.compat.finder import Mend
from florence.compat.module_view import ModuleView

NEWEST_ACCEPTED_MMCV = '2.1.0'
USES_REMOVED_NUMPY_NAMES = (
    'mmaction.datasets.transforms.pose_transforms',
    'mmaction.evaluation.functional.accuracy',
    'mmaction.evaluation.functional.ava_evaluation.metrics',
    'mmaction.evaluation.metrics.multimodal_metric',
    'mmaction.utils.misc',
)


@contextmanager
def _accepting_newer_mmcv(module: Any) -> Iterator[None]:
    import mmcv
    from mmengine.utils import digit_version

    true_version = mmcv.__version__
    if digit_version(true_version) >= digit_version('2.2.0'):
        mmcv.__version__ = NEWEST_ACCEPTED_MMCV
    try:
        yield
    finally:
        mmcv.__version__ = true_version


@contextmanager
def _scores_in_single_precision(module: Any) -> Iterator[None]:
    yield
    for name in ('loss_by_feat', 'predict_by_feat'):
        setattr(module.BaseHead, name, _single_precision(getattr(module.BaseHead, name)))


def _single_precision(method: Callable) -> Callable:
    @wraps(method)
    def with_float_scores(self: Any, cls_scores: Any, data_samples: Any) -> Any:
        return method(self, cls_scores.float(), data_samples)

    return with_float_scores


@contextmanager
def _with_removed_numpy_names(module: Any) -> Iterator[None]:
    yield
    np = module.np
    trapezoid = np.trapezoid if hasattr(np, 'trapezoid') else np.trapz
    module.np = ModuleView(np, Inf=np.inf, NAN=np.nan, in1d=_in1d, trapz=trapezoid)


def _in1d(values: Any, test_values: Any) -> Any:
    import numpy as np

    return np.isin(np.ravel(values), test_values)


def _empty_package(module: Any) -> None:
    module.__all__ = []


def _missing_drn(module: Any) -> None:
    class DRN:
        """Named by `mmaction.models.localizers`, absent from the wheel."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise ImportError(
                'DRN is not part of the mmaction2 1.2.0 wheel (open-mmlab/mmaction2#2714); copy the '
                'folder mmaction/models/localizers/drn of its git repository into the installed package.'
            )

    module.DRN = DRN


MENDS = (
    Mend('mmaction', around=_accepting_newer_mmcv),
    Mend('mmaction.models.localizers.drn', stand_in=_empty_package, is_package=True),
    Mend('mmaction.models.localizers.drn.drn', stand_in=_missing_drn),
    Mend('mmaction.models.multimodal', stand_in=_empty_package, replace=True, is_package=True),
    Mend('mmaction.models.heads.base', around=_scores_in_single_precision),
    *(Mend(name, around=_with_removed_numpy_names) for name in USES_REMOVED_NUMPY_NAMES),
)
