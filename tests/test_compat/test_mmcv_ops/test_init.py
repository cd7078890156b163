"""What the served extension says about the ops that it lacks."""

import inspect
import re
from pathlib import Path

import mmcv.ops
import pytest
import torch

from florence.compat import mmcv_ops


def test_op_that_is_not_served_imports_and_raises():
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0, 0.1]])
    with pytest.raises(RuntimeError, match=r"'box_iou_rotated' is not served .*pip install --no-build-isolation"):
        mmcv.ops.box_iou_rotated(boxes, boxes)
    assert issubclass(mmcv.ops.SyncBatchNorm, torch.nn.Module)


def test_special_names_are_no_ops():
    with pytest.raises(AttributeError, match='__path__'):
        mmcv_ops.not_served('__path__')


def test_served_ops_take_the_arguments_of_the_compiled_ones():
    """mmcv ships the source of its binding: the argument names of every served op must be found there."""
    binding = Path(mmcv.ops.__file__).parent / 'csrc' / 'pytorch' / 'pybind.cpp'
    if not binding.is_file():
        pytest.skip('this mmcv ships without the sources of its ops')
    definitions = binding.read_text().split('m.def(')
    names = {re.match(r'\s*"(\w+)"', text).group(1): re.findall(r'py::arg\("(\w+)"\)', text) for text in definitions[1:]}
    for name, function in mmcv_ops.SERVED.items():
        assert list(inspect.signature(function).parameters) == names[name], name
