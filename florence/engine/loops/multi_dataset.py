"""Validation and test on several data sets, each with its own metrics, as one evaluation.

A zero-shot model is judged on many sets at once (arXiv 2111.11432, section 3.1: twelve). mmengine has one
data loader and one evaluator per loop; here both are dicts with the same names:

    val_dataloader = dict(digits=dict(batch_size=64, dataset=...), pairs=dict(batch_size=64, dataset=...))
    val_evaluator = dict(digits=dict(type='ZeroShotAccuracy'), pairs=[dict(type='ImageTextRetrieval')])
    val_cfg = dict(type='MultiDatasetValLoop')

A metric `top1` of `digits` is reported as `digits/top1` (`save_best='digits/top1'`). To the hooks it is one
evaluation: epoch hooks run once, with the metrics of all sets, and batches are numbered through. The batches
of each set are run by an mmengine loop of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner, TestLoop, ValLoop
from mmengine.runner.loops import _parse_losses
from torch.utils.data import DataLoader

from florence.registry import LOOPS

_Loop = TypeVar('_Loop', ValLoop, TestLoop)


class DataLoaderGroup:
    """The data loaders of one evaluation; the hooks read its length, the number of batches of all of them.

    Args:
        loaders: Data loaders in the order they are run.
    """

    def __init__(self, loaders: Sequence[DataLoader]) -> None:
        self.loaders = tuple(loaders)

    def __len__(self) -> int:
        return sum(len(loader) for loader in self.loaders)


def _check_names(dataloader: Any, evaluator: Any, stage: str) -> None:
    for option, value in ((f'{stage}_dataloader', dataloader), (f'{stage}_evaluator', evaluator)):
        parts = value.values() if isinstance(value, Mapping) else ()
        if not parts or not all(isinstance(part, Mapping | list | DataLoader | Evaluator) for part in parts):
            found = list(value) if isinstance(value, Mapping) else type(value).__name__
            raise ValueError(
                f'a MultiDataset loop expects {option} to be a dict of data set names, such as '
                f'dict(digits=dict(...), pairs=dict(...)), found {found}; for a single set use '
                f"{stage}_cfg=dict(type='{stage.title()}Loop')."
            )
    if set(dataloader) != set(evaluator):
        raise ValueError(
            f'{stage}_dataloader and {stage}_evaluator must have the same names; only in {stage}_dataloader: '
            f'{sorted(set(dataloader) - set(evaluator))}, only in {stage}_evaluator: '
            f'{sorted(set(evaluator) - set(dataloader))}.'
        )


def _build_parts(
    loop_class: type[_Loop], runner: Runner, dataloader: Any, evaluator: Any, fp16: bool, stage: str
) -> dict[str, _Loop]:
    """One mmengine loop per data set, in the order of the data loaders."""
    _check_names(dataloader, evaluator, stage)
    return {name: loop_class(runner, dataloader[name], evaluator[name], fp16=fp16) for name in dataloader}


def _run_parts(runner: Runner, parts: Mapping[str, ValLoop | TestLoop], stage: str) -> dict[str, Any]:
    """Evaluate all parts as one evaluation.

    Returns:
        The metrics of all parts, `<data set>/<metric>`.
    """
    runner.call_hook(f'before_{stage}')
    runner.call_hook(f'before_{stage}_epoch')
    runner.model.eval()
    metrics: dict[str, Any] = {}
    num_batches = 0
    for name, part in parts.items():
        losses = part.val_loss if isinstance(part, ValLoop) else part.test_loss
        losses.clear()
        # Building the parts left the meta information of the last one in the visualizer.
        runner.visualizer.dataset_meta = part.evaluator.dataset_meta
        for batch in part.dataloader:
            part.run_iter(num_batches, batch)
            num_batches += 1
        own_metrics = part.evaluator.evaluate(len(part.dataloader.dataset))
        if losses:
            own_metrics.update(_parse_losses(losses, stage))
        metrics.update({f'{name}/{metric}': value for metric, value in own_metrics.items()})
    runner.call_hook(f'after_{stage}_epoch', metrics=metrics)
    runner.call_hook(f'after_{stage}')
    return metrics


@LOOPS.register_module()
class MultiDatasetValLoop(BaseLoop):
    """Validation on several data sets.

    Args:
        runner: The runner.
        dataloader: Config or data loader of each data set, by name.
        evaluator: Config, list of configs, or evaluator of each data set, by the same names.
        fp16: Whether to run the model under autocast.

    Raises:
        ValueError: If the two are not dicts with the same names.
    """

    def __init__(self, runner: Runner, dataloader: Mapping[str, Any], evaluator: Mapping[str, Any], fp16: bool = False) -> None:
        self.parts = _build_parts(ValLoop, runner, dataloader, evaluator, fp16, 'val')
        super().__init__(runner, DataLoaderGroup([part.dataloader for part in self.parts.values()]))
        self.evaluator = {name: part.evaluator for name, part in self.parts.items()}

    def run(self) -> dict[str, Any]:
        """Validate; metrics as `<data set>/<metric>`."""
        return _run_parts(self.runner, self.parts, 'val')


@LOOPS.register_module()
class MultiDatasetTestLoop(BaseLoop):
    """Test on several data sets.

    Args:
        runner: The runner.
        dataloader: Config or data loader of each data set, by name.
        evaluator: Config, list of configs, or evaluator of each data set, by the same names.
        fp16: Whether to run the model under autocast.

    Raises:
        ValueError: If the two are not dicts with the same names.
    """

    def __init__(self, runner: Runner, dataloader: Mapping[str, Any], evaluator: Mapping[str, Any], fp16: bool = False) -> None:
        self.parts = _build_parts(TestLoop, runner, dataloader, evaluator, fp16, 'test')
        super().__init__(runner, DataLoaderGroup([part.dataloader for part in self.parts.values()]))
        self.evaluator = {name: part.evaluator for name, part in self.parts.items()}

    def run(self) -> dict[str, Any]:
        """Test; metrics as `<data set>/<metric>`."""
        return _run_parts(self.runner, self.parts, 'test')
