"""Florence-2 to a folder of ONNX graphs, each compared with PyTorch before the folder appears.

Beside the graphs of `florence2_graphs` lie `vocabulary.json`, so that the folder is enough to answer prompts, and
`florence2.json` with what else must be known: names of the files, hash of the vocabulary, image size, normalisation, positions,
search.

int8 is onnxruntime's dynamic quantisation: weights of matrix products get 8 bits and a scale for each column when they are
written, their inputs when they are met. Embeddings, convolutions and products of two activations stay in float32.
"""

import contextlib
import dataclasses
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.utils import _pytree as pytree

from florence.atomic_files import atomic_folder, write_json
from florence.export.florence2_graphs import Graph, Sizes, florence2_graphs
from florence.export.graph_session import GraphSession
from florence.export.optional_packages import import_packages
from florence.models.florence2 import Florence2

FACTS, VOCABULARY = 'florence2.json', 'vocabulary.json'
FORMAT, OPSET = 1, 18
# Another length for every axis, none of them 1: the exporter takes lengths that are equal, or 1, for fixed.
EXAMPLE = Sizes(items=3, tokens=6, rows=4, past=5)
CHECKS = (Sizes(items=1, tokens=9, rows=2, past=0), Sizes(items=2, tokens=7, rows=1, past=3))


@torch.no_grad()
def export_florence2(
    model: Florence2,
    image_size: tuple[int, int],
    folder: str | os.PathLike,
    *,
    keep_ratio: bool = False,
    int8: bool = False,
    tolerance: float = 1e-4,
) -> dict[str, dict[str, float]]:
    """Write the graphs of a model.

    Args:
        model: In evaluation mode, in float32 on the CPU, with its vocabulary.
        image_size: Height and width of the images.
        keep_ratio: Whether images are padded to that size (`ResizePad`), not stretched.
        folder: Is made; appears when all is written.
        int8: Whether matrix products are quantised.
        tolerance: Largest difference from PyTorch, before quantisation, over the largest value of a result.

    Returns:
        For each graph its size in `megabytes`, its `difference` from PyTorch, and with `int8` the `int8_difference`.

    Raises:
        ImportError: If a package is missing.
        FileExistsError: If there is something at `folder`.
        ValueError: If the model has no vocabulary, or a graph differs from PyTorch by more than `tolerance`.
    """
    import_packages('onnx', 'onnxscript', 'onnxruntime')
    words = model.tokenizer.tokenizer
    digest = words.vocabulary_hash()
    figures = {}
    with atomic_folder(folder) as new:
        for name, graph in florence2_graphs(model, image_size).items():
            path = new / f'{name}.onnx'
            _write(graph, path)
            figures[name] = {'difference': difference(graph, path)}
            if not figures[name]['difference'] <= tolerance:
                raise ValueError(
                    f'{name} differs from PyTorch by {figures[name]["difference"]:.1e} of its largest value, more than the '
                    f'tolerance of {tolerance:.0e}: this version of torch or onnxruntime exports or runs it wrongly.'
                )
            if int8 and name != 'embed_tokens':
                _quantize(path)
                figures[name]['int8_difference'] = difference(graph, path)
            figures[name]['megabytes'] = round(path.stat().st_size / 2**20, 1)
            print_log(f'{name}: {figures[name]}', logger='current')
        write_json(new / VOCABULARY, words.whole_state())
        write_json(
            new / FACTS, {**_facts(model, image_size, keep_ratio), 'precision': 'int8' if int8 else 'fp32', 'vocabulary': digest}
        )
    return figures


def difference(graph: Graph, path: Path) -> float:
    """Largest difference of a file's results from PyTorch's, each over its largest value, at lengths it was not made with."""
    session, worst = GraphSession(path), 0.0
    for sizes in CHECKS:
        arguments = graph.example(sizes)
        wanted = pytree.tree_leaves(graph.module(*arguments))
        for found, right in zip(session(*pytree.tree_leaves(arguments)), wanted, strict=True):
            worst = max(worst, _relative(found, right))
    return worst


def _relative(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape:
        return float('inf')
    return ((found - wanted).abs().max() / wanted.abs().max()).nan_to_num(float('inf')).item()


def _write(graph: Graph, path: Path) -> None:
    arguments = graph.example(EXAMPLE)
    named: dict[str, Any] = {}
    axes = [
        {
            axis: torch.export.Dim.AUTO if name is None else named.setdefault(name, torch.export.Dim(name))
            for axis, name in own.items()
        }
        for own in graph.axes
    ]
    with _quiet():
        torch.onnx.export(
            graph.module.eval(),
            arguments,
            str(path),
            dynamo=True,
            dynamic_shapes=pytree.tree_unflatten(axes, pytree.tree_structure(arguments)),
            input_names=graph.inputs,
            output_names=graph.outputs,
            opset_version=OPSET,
            external_data=False,
        )


def _quantize(path: Path) -> None:
    """Replace a file by its int8 form."""
    onnx, quantization = import_packages('onnx', 'onnxruntime.quantization')
    model = onnx.load(path)
    # The exporter leaves shapes of weights that it has transposed since.
    del model.graph.value_info[:]
    with _quiet():
        quantization.quantize_dynamic(
            model,
            path.with_suffix('.int8'),
            op_types_to_quantize=['MatMul', 'Gemm'],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            extra_options={'MatMulConstBOnly': True},
        )
    os.replace(path.with_suffix('.int8'), path)


def _facts(model: Florence2, image_size: tuple[int, int], keep_ratio: bool) -> dict[str, Any]:
    normalisation = model.data_preprocessor
    return {
        'format': FORMAT,
        'opset': OPSET,
        'graphs': {name: f'{name}.onnx' for name in ('vision_encoder', 'embed_tokens', 'encoder_model', 'decoder_model')},
        'image_size': list(image_size),
        'keep_ratio': keep_ratio,
        'mean': normalisation.mean.flatten().tolist(),
        'std': normalisation.std.flatten().tolist(),
        'max_positions': model.language_model.max_positions,
        'attends_to_padding': model.attends_to_padding,
        'search': dataclasses.asdict(model.search),
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress and advice of the exporters, which are of no use to who runs them."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        root.setLevel(level)
