"""An ONNX graph that takes and gives tensors of PyTorch, on the CPU."""

from pathlib import Path

import torch
from torch import Tensor

from florence.export.optional_packages import import_packages


class GraphSession:
    """A graph ready to run, on as many threads as `torch.get_num_threads()` says.

    Args:
        path: The `.onnx` file.

    Raises:
        ImportError: If onnxruntime is not installed.
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no graph.
    """

    def __init__(self, path: Path) -> None:
        (onnxruntime,) = import_packages('onnxruntime')
        if not path.is_file():
            raise FileNotFoundError(f'no graph {path}: export the model again.')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        # The errors of onnxruntime have no common class but this one.
        except Exception as error:
            raise ValueError(f'{path} is no graph that onnxruntime can run: {str(error).splitlines()[0]}') from error
        self._names = [entry.name for entry in self._session.get_inputs()]

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """All results of the graph, for its inputs in their order."""
        arrays = {name: value.contiguous().numpy() for name, value in zip(self._names, inputs, strict=True)}
        return [torch.from_numpy(array) for array in self._session.run(None, arrays)]
