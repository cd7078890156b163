"""Sees to it that a label means the same class to the data and to the detector.

Heads with a fixed number of classes take a label beyond it for background, or stop with an index error far from its cause.
mmdet's NumClassCheckHook compares numbers too, by an `assert`, and knows no detector that is told its classes by name.
"""

from typing import Any

from mmengine.hooks import Hook
from torch import nn

from florence.registry import HOOKS

WITHOUT_LABELS = ('backbone', 'rpn_head', 'semantic_head')
"""Parts of a detector whose `num_classes`, if they have one, counts something else than the labels."""


@HOOKS.register_module()
class ClassListHook(Hook):
    """Compares the classes of the data set with the model's, before training and before each evaluation.

    A detector with `set_classes` is told those of the set that it is evaluated on; one with `require_classes` is asked whether it
    can be trained on these; of any other every head must have as many. Evaluations of several sets are left alone.
    """

    def before_train(self, runner) -> None:
        """Compare with the training set.

        Raises:
            ValueError: If a head has another number of classes, or the detector other names.
        """
        names, model = _classes(runner.train_loop), _detector(runner.model)
        if names is None:
            return
        if hasattr(model, 'require_classes'):
            model.require_classes(names)
        elif not hasattr(model, 'set_classes'):
            _require_number(model, names)

    def before_val(self, runner) -> None:
        """Compare with the validation set.

        Raises:
            KeyError: If the detector does not know a name.
            ValueError: If a head has another number of classes.
        """
        _tell(runner.val_loop, runner.model)

    def before_test(self, runner) -> None:
        """Compare with the test set.

        Raises:
            KeyError: If the detector does not know a name.
            ValueError: If a head has another number of classes.
        """
        _tell(runner.test_loop, runner.model)


def _tell(loop: Any, model: Any) -> None:
    names, model = _classes(loop), _detector(model)
    if names is None:
        return
    if hasattr(model, 'set_classes'):
        model.set_classes(names)
    else:
        _require_number(model, names)


def _classes(loop: Any) -> tuple[str, ...] | None:
    dataset = getattr(loop.dataloader, 'dataset', None)
    names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    return None if names is None else tuple(names)


def _detector(model: Any) -> Any:
    """The detector within wrappers for several processes or views."""
    while not hasattr(model, 'set_classes') and isinstance(getattr(model, 'module', None), nn.Module):
        model = model.module
    return model


def _require_number(model: nn.Module, names: tuple[str, ...]) -> None:
    for path, module in model.named_modules():
        number = getattr(module, 'num_classes', None)
        if not isinstance(number, int) or set(path.split('.')) & set(WITHOUT_LABELS) or number == len(names):
            continue
        raise ValueError(
            f'{path or type(model).__name__} has num_classes={number}, but the data set has {len(names)} classes '
            f'({", ".join(names[:5])}{", ..." if len(names) > 5 else ""}): set num_classes={len(names)}, or give the data set '
            'the classes that the weights were trained on.'
        )
