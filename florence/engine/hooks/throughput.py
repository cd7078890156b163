"""Speed in the log line: samples per second, share of time spent waiting for data, memory, and model FLOPs utilisation.

MFU is the arithmetic that the model needs (three times its forward pass: recomputation does not count) divided by what the device
could do in the same time (arXiv 2204.02311, appendix B).
"""

import resource
import sys
import time
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from florence.registry import HOOKS

# Dense half-precision TFLOP/s of the vendor's data sheets.
PEAK_TFLOPS = {
    'H200': 989,
    'H100 PCIe': 756,
    'H100': 989,
    'A100': 312,
    'A10G': 125,
    'L40S': 362,
    'L4': 121,
    'V100': 125,
    'T4': 65,
    'B200': 2250,
}
MEASURED_SIZE = 1024
SECONDS_OF_MEASURING = 0.1


def peak_flops(device: torch.device) -> float:
    """Floating-point operations per second that a device can do at most: of a known GPU by its data sheet, else measured."""
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
        known = next((tflops for part, tflops in PEAK_TFLOPS.items() if part in name), None)
        if known is not None:
            return known * 1e12
    return _measured_flops(device)


def _measured_flops(device: torch.device) -> float:
    from florence.layers import Linear

    # Through the layer that the models use, which has its own kernels on CPU.
    product = Linear(MEASURED_SIZE, MEASURED_SIZE, bias=False, device=device)
    rows = torch.ones(MEASURED_SIZE, MEASURED_SIZE, device=device)
    best, start = float('inf'), time.perf_counter()
    with torch.no_grad():
        while time.perf_counter() - start < SECONDS_OF_MEASURING or best == float('inf'):
            began = time.perf_counter()
            product(rows)
            if device.type != 'cpu':
                torch.accelerator.synchronize()
            best = min(best, time.perf_counter() - began)
    return 2 * MEASURED_SIZE**3 / best


def _linear_flops(x_shape, weight_shape, *args, out_shape=None, **kwargs) -> int:
    rows = 1
    for size in x_shape[:-1]:
        rows *= size
    return 2 * rows * weight_shape[0] * weight_shape[1]


class _ForwardFlops:
    """Counts the operations per sample of the first forward pass of a model, then takes itself away."""

    def __init__(self, model: nn.Module) -> None:
        self.per_sample: float | None = None
        self._counter = FlopCounterMode(display=False, custom_mapping={torch.ops.mkldnn._linear_pointwise: _linear_flops})
        self._handles = [
            model.register_forward_pre_hook(self._enter),
            model.register_forward_hook(self._leave, with_kwargs=True, always_call=True),
        ]

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._counter.__enter__()

    def _leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        self._counter.__exit__(None, None, None)
        inputs = kwargs.get('inputs', args[0] if args else None)
        if inputs is not None and len(inputs):
            self.per_sample = self._counter.get_total_flops() / len(inputs)
        self.remove()

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self._handles:
            handle.remove()


def num_samples(data_batch: Any) -> int:
    """Samples of a batch on this rank."""
    if isinstance(data_batch, dict):
        data_batch = data_batch.get('inputs', data_batch.get('data_samples', ()))
    return len(data_batch)


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Adds `images_per_second` (over all ranks), `data_wait` (share of the iteration), `mfu` and, on CPU, `memory_mb` to the log.

    Args:
        mfu: Measure the model's FLOPs utilisation.
        peak_tflops: What the device can do, in 10^12 operations per second; None: `peak_flops`.
    """

    # After IterTimerHook, which measures, and before LoggerHook.
    priority = 55

    def __init__(self, mfu: bool = True, peak_tflops: float | None = None) -> None:
        self.mfu = mfu
        self.peak = peak_tflops * 1e12 if peak_tflops else None
        self._forward: _ForwardFlops | None = None

    def before_train(self, runner) -> None:
        """Prepare to count the operations of the first forward pass."""
        if not self.mfu or getattr(runner, '_compile', False):  # a compiled part hides its operations from the counter
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._forward = _ForwardFlops(model)
        if self.peak is None:
            self.peak = peak_flops(next(model.parameters()).device)
            print_log(f'MFU is relative to {self.peak / 1e12:.2f} TFLOP/s per process', logger='current')

    def after_train(self, runner) -> None:
        """Leave the model as it was."""
        if self._forward is not None:
            self._forward.remove()

    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None) -> None:
        """Work out the figures of this iteration."""
        hub = runner.message_hub
        if 'train/time' not in hub.log_scalars:  # no IterTimerHook
            return
        seconds = hub.get_scalar('train/time').current()
        samples = num_samples(data_batch)
        hub.update_scalar('train/images_per_second', samples * get_world_size() / seconds)
        hub.update_scalar('train/data_wait', runner.train_loop.data_seconds / seconds)
        if self._forward is not None and self._forward.per_sample:
            hub.update_scalar('train/mfu', 3 * self._forward.per_sample * samples / seconds / self.peak)
        if not torch.cuda.is_available():
            unit = 1 if sys.platform == 'darwin' else 1024
            hub.update_scalar('train/memory_mb', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
