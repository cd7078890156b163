"""The test pipeline of a config, wherever its data set is wrapped."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config


def pipeline_of_tests(config: Config) -> list | None:
    """The pipeline of the test data: the first found inside wrappers and groups of data sets; else that of the validation.

    Args:
        config: A whole config.
    """
    return _search(config.get('test_dataloader')) or config.get('test_pipeline') or _search(config.get('val_dataloader'))


def _search(node: Any) -> list | None:
    if isinstance(node, Mapping):
        if node.get('pipeline'):
            return node['pipeline']
        node = list(node.values())
    if isinstance(node, list | tuple):
        return next((found for part in node if (found := _search(part))), None)
    return None
