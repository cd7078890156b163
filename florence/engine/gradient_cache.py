"""Gradient cache: the gradient of a large contrastive batch with the activations of a small chunk (arXiv 2101.06983; Florence,
arXiv 2111.11432, section 2.4).

A contrastive loss needs all embeddings at once, but the towers treat each sample alone. So a step encodes the batch chunk by
chunk without a graph, takes the gradient of the loss with respect to the embeddings (the cache), and encodes every chunk again,
now with a graph, to carry its part of the cache back to the parameters. The price is a second forward pass.

It serves any two-tower model whose loss is written in two parts:

    encode(inputs, data_samples) -> tuple of floating-point tensors    # also as forward(inputs, data_samples, mode='encode')
    loss_from(encoded, data_samples) -> dict                           # what `loss` returns

Encoded tensors of one or more dimensions have one row per sample; scalars depend on parameters alone (the temperature).
`loss_from` must not touch a parameter: what it needs of them goes through `encode`.

Differs from the authors' code: one model rather than two encoders; the temperature is one more encoded output, so that it
is reduced across ranks with everything else; the generators of Python, numpy and torch are replayed, and afterwards stand as
if the batch had been encoded once; DeepSpeed; the loss scale of fp16 is applied to the second pass only.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.optim import BaseOptimWrapper
from torch import Tensor, nn

from florence.engine.random_state import random_state, set_random_state

Encoded = tuple[Tensor, ...]


class GradientCache:
    """Training step over chunks of a batch; takes the place of the model's own `train_step`.

    Gradients are reduced across ranks once a step: under DDP with the last chunk, under ZeRO after it. Until then every
    rank holds its whole gradient, under ZeRO-2 and 3 too.

    Args:
        chunk_size: Most samples that are encoded with a graph at a time. A batch is cut into as few chunks as that allows,
            of sizes that differ by one at most.

    Raises:
        ValueError: If `chunk_size` is not a positive integer.
    """

    def __init__(self, chunk_size: int) -> None:
        if not isinstance(chunk_size, int) or chunk_size < 1:
            raise ValueError(f'gradient_cache: chunk_size must be an integer of at least 1, got {chunk_size!r}.')
        self.chunk_size = chunk_size
        self._checked: nn.Module | None = None

    def train_step(self, model: Any, data: Any, optim_wrapper: BaseOptimWrapper) -> dict[str, Tensor]:
        """One optimizer step on one batch.

        Args:
            model: A two-tower model, plain or in the wrapper of data-parallel or DeepSpeed training.
            data: A batch of the data loader.
            optim_wrapper: Wrapper of the optimizer.

        Returns:
            What is logged, as `BaseModel.train_step` returns it.

        Raises:
            ValueError: If the model does not keep the contract of this module, gradients are to be accumulated over batches as
                well, or a rank under ZeRO-3 has too few samples.
        """
        module, engine = getattr(model, 'module', model), getattr(model, 'engine', None)
        _check_setting(module, engine, optim_wrapper)
        # DeepSpeed's wrapper also casts the images to the type of its weights.
        data = module.data_preprocessor(data, training=True) if engine is None else model.preprocess(data, training=True)
        num_samples = len(data['data_samples'])
        num_chunks = -(-num_samples // self.chunk_size)
        if engine is not None and engine.zero_optimization_partition_weights():
            num_chunks = _agreed_chunks(num_chunks, num_samples)
        bounds = [num_samples * index // num_chunks for index in range(num_chunks + 1)]
        chunks = [_rows(data, start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]
        encoder = _Encoder(model, optim_wrapper)

        encoded, states = encoder.without_graph(chunks)
        losses = module.loss_from(encoded, data['data_samples'])
        loss, log_vars = module.parse_losses(losses)
        log_vars = {name: value.detach() for name, value in log_vars.items()}
        if self._checked is not module:
            _check_loss(loss, encoded)
            self._checked = module
        cache = torch.autograd.grad(loss, encoded, allow_unused=True)
        del loss, losses, encoded

        after = random_state()
        encoder.backward(chunks, states, _split(cache, bounds))
        set_random_state(after)
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return log_vars


class _Encoder:
    """The two passes over the chunks, for every way a model is wrapped."""

    def __init__(self, model: Any, optim_wrapper: BaseOptimWrapper) -> None:
        self.model = model
        self.optim_wrapper = optim_wrapper
        self.reducer = getattr(model, 'engine', model)
        # Only ZeRO's own optimizers can put off a reduction; DeepSpeed's others have `no_sync`, as DDP has.
        self.coalesces = hasattr(getattr(self.reducer, 'optimizer', None), '_coalesce_grad_reduction')

    def without_graph(self, chunks: list[dict]) -> tuple[Encoded, list[dict]]:
        """Encoded batch as fresh leaves, fp32 or more, and the state of the generators before each chunk."""
        outputs, states = [], []
        with torch.no_grad(), self.optim_wrapper.optim_context(self.model):
            for chunk in chunks:
                states.append(random_state())
                outputs.append(self.model(**chunk, mode='encode'))
        columns = (torch.cat(parts) if parts[0].dim() else parts[0] for parts in zip(*outputs, strict=True))
        return tuple(column.to(torch.promote_types(column.dtype, torch.float32)).requires_grad_() for column in columns), states

    def backward(self, chunks: list[dict], states: list[dict], cache: Iterator[list[Tensor | None]]) -> None:
        """Encode each chunk again, as it was, and carry its gradients to the parameters."""
        with self.reducer.coalesce_grad_reduction() if self.coalesces else nullcontext():
            for index, (chunk, state, gradients) in enumerate(zip(chunks, states, cache, strict=True)):
                with self._reduction_of(last=index == len(chunks) - 1):
                    set_random_state(state)
                    surrogate = self._surrogate(chunk, gradients)
                    if surrogate is not None:
                        self.optim_wrapper.backward(surrogate)

    def _surrogate(self, chunk: dict, gradients: list[Tensor | None]) -> Tensor | None:
        """A scalar with the same gradient as the loss of the whole batch through this chunk.

        None where all that is trained feeds a scalar, and this is not the last chunk.
        """
        with self.optim_wrapper.optim_context(self.model):
            outputs = self.model(**chunk, mode='encode')
        terms = [
            (output * gradient).sum()
            for output, gradient in zip(outputs, gradients, strict=True)
            if gradient is not None and output.requires_grad
        ]
        return torch.stack(terms).sum() if terms else None

    def _reduction_of(self, last: bool) -> AbstractContextManager:
        local = not last and not self.coalesces and hasattr(self.reducer, 'no_sync')
        return self.reducer.no_sync() if local else nullcontext()


def _rows(data: Any, start: int, stop: int) -> Any:
    """Samples `start` to `stop` of a batch: of every tensor and list in it, at any depth of dicts."""
    if isinstance(data, dict):
        return {key: _rows(value, start, stop) for key, value in data.items()}
    return data[start:stop]


def _split(cache: tuple[Tensor | None, ...], bounds: list[int]) -> Iterator[list[Tensor | None]]:
    """Gradients of each chunk's outputs; a scalar's whole gradient goes with the last chunk."""
    for start, stop in zip(bounds, bounds[1:], strict=False):
        yield [
            gradient[start:stop] if gradient is not None and gradient.dim() else gradient if stop == bounds[-1] else None
            for gradient in cache
        ]


def _agreed_chunks(num_chunks: int, num_samples: int) -> int:
    """Largest number of chunks of any rank: under ZeRO-3 ranks meet in every forward pass to gather weights."""
    sizes = torch.tensor([num_chunks, -num_samples])
    all_reduce(sizes, op='max')
    num_chunks, fewest = sizes[0].item(), -sizes[1].item()
    if fewest < num_chunks:
        raise ValueError(
            f'gradient_cache under ZeRO-3: one rank needs {num_chunks} chunks but another has only {fewest} samples in its '
            'batch: give all ranks batches of one size (drop_last=True in the data loader).'
        )
    return num_chunks


def _check_setting(module: nn.Module, engine: Any, optim_wrapper: BaseOptimWrapper) -> None:
    missing = [name for name in ('encode', 'loss_from') if not callable(getattr(module, name, None))]
    if missing:
        raise ValueError(
            f'gradient_cache needs a two-tower model with encode(inputs, data_samples) and loss_from(encoded, data_samples), '
            f'{type(module).__name__} has no {" and no ".join(missing)}: remove gradient_cache from train_cfg, or write its loss '
            'in these two parts.'
        )
    accumulated = getattr(optim_wrapper, '_accumulative_counts', 1) if engine is None else engine.gradient_accumulation_steps()
    if accumulated != 1:
        raise ValueError(
            f'gradient_cache and gradient accumulation over {accumulated} batches exclude each other, because a contrastive loss '
            'sees one batch at a time: make the batch larger and leave the chunk size as it is.'
        )


def _check_loss(loss: Tensor, encoded: Encoded) -> None:
    """A parameter inside the loss would never get a gradient, in silence."""
    known, seen, waiting = {id(leaf) for leaf in encoded}, set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, 'variable', None)
        if variable is not None and id(variable) not in known:
            raise ValueError(
                f'gradient_cache: loss_from uses a parameter of shape {tuple(variable.shape)} directly, so that it would get no '
                'gradient: return what the loss needs of it from encode.'
            )
        waiting += [parent for parent, _ in node.next_functions]
