"""A recogniser and its data must agree on the classes: too few end in an index error, too many train in silence."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from florence.registry import HOOKS


@HOOKS.register_module()
class NumClassesHook(Hook):
    """Compares `cls_head.num_classes` of the model with the class names of the data, before they meet."""

    def before_train(self, runner) -> None:
        """Check the training set.

        Raises:
            ValueError: If the numbers differ.
        """
        _check(runner.model, runner.train_dataloader)

    def before_test(self, runner) -> None:
        """Check the test set.

        Raises:
            ValueError: If the numbers differ.
        """
        _check(runner.model, runner.test_dataloader)


def _check(model, loader) -> None:
    while is_model_wrapper(model):
        model = model.module
    expected = getattr(getattr(model, 'cls_head', None), 'num_classes', None)
    classes = getattr(loader.dataset, 'metainfo', {}).get('classes')
    if expected is not None and classes and len(classes) != expected:
        raise ValueError(
            f'the model has {expected} classes, the data have {len(classes)} ({", ".join(map(str, classes[:5]))}...): set '
            f'model.cls_head.num_classes={len(classes)}.'
        )
