"""One rank of the distributed tests of the gradient cache: `python gradient_cache_worker.py RANK WORLD_SIZE FOLDER`.

Writes `RANK.pt` into the folder: what the tests compare with a single process.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

sys.path.insert(0, str(Path(__file__).parent))
from gradient_cache_models import GradientRecorder, batch, build  # noqa: E402

from florence.engine.gradient_cache import GradientCache  # noqa: E402
from florence.engine.strategies.deepspeed_model import DeepSpeedModel, DeepSpeedOptimWrapper  # noqa: E402

STEPS = 2
CHUNK_SIZE = 2
ZERO_SIZE = 6
# The second rank has fewer samples and so fewer chunks.
DDP_SIZES = (7, 3)


def ddp(rank):
    """Gradients of one step on unequal ranks, and how many times a bucket of gradients was reduced."""
    model = MMDistributedDataParallel(build())
    reduced = []

    def count(state, bucket):
        reduced.append(bucket.index())
        return allreduce_hook(state, bucket)

    model.register_comm_hook(None, count)
    wrapper = GradientRecorder(model.module)
    result = {}
    for name, step in (('cached', GradientCache(CHUNK_SIZE).train_step), ('plain', type(model).train_step)):
        reduced.clear()
        step(model, batch(DDP_SIZES[rank], first=sum(DDP_SIZES[:rank])), wrapper)
        result[name] = dict(gradients=wrapper.gradients, reductions=list(reduced))
    return result


def wrapped(model, stage, accumulation=1):
    """Model and optimizer in the wrappers of DeepSpeed training."""
    import deepspeed

    config = dict(
        train_micro_batch_size_per_gpu=ZERO_SIZE,
        gradient_accumulation_steps=accumulation,
        # Small enough that weights are really sharded and gathered.
        zero_optimization=dict(stage=stage, stage3_param_persistence_threshold=0),
        zero_allow_untested_optimizer=True,
        gradient_clipping=0.0,
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    engine = deepspeed.initialize(model=model, optimizer=optimizer, config=config, dist_init_required=False)[0]
    model, optim_wrapper = DeepSpeedModel(engine), DeepSpeedOptimWrapper(engine.optimizer)
    optim_wrapper.attach(model, None)
    return model, optim_wrapper


class ReducedNumbers:
    """Counts the numbers that deepspeed reduces across ranks; single ones are norms and flags, not gradients."""

    def __init__(self):
        from deepspeed.comm import comm

        self.count = 0
        for name in ('all_reduce', 'reduce', 'reduce_scatter_tensor'):
            setattr(comm.cdb, name, self._counted(getattr(comm.cdb, name)))

    def _counted(self, reduce):
        def counted(*args, **kwargs):
            tensor = kwargs.get('input_tensor', kwargs.get('tensor', args[0] if args else None))
            self.count += tensor.numel() if tensor.numel() > 1 else 0
            return reduce(*args, **kwargs)

        return counted

    def during(self, action, *args):
        """Count of one call, and its result."""
        self.count = 0
        result = action(*args)
        return self.count, result


def zero(rank):
    """Weights after some steps under every stage of ZeRO, and the errors that only several ranks can meet."""
    import deepspeed

    # The shared-memory reduction would be compiled first, which takes a minute.
    deepspeed.ops.__compatible_ops__['deepspeed_shm_comm'] = False
    deepspeed.init_distributed('gloo', dist_init_required=False)
    cache, reduced, result = GradientCache(CHUNK_SIZE), ReducedNumbers(), {}
    for stage in (0, 1, 2, 3):
        model, optim_wrapper = wrapped(build(double=False, with_cp=True), stage)
        for step in range(STEPS):
            data = batch(ZERO_SIZE, first=ZERO_SIZE * (2 * step + rank))
            count, log = reduced.during(cache.train_step, model, data, optim_wrapper)
        names, parameters = zip(*model.named_parameters(), strict=True)
        with deepspeed.zero.GatheredParameters(list(parameters), enabled=stage == 3):
            weights = {name: value.detach().clone() for name, value in zip(names, parameters, strict=True)}
        plain_count, _ = reduced.during(model.train_step, data, optim_wrapper)
        result[stage] = dict(weights=weights, loss=log['loss'], reduced=count, reduced_plainly=plain_count)
    result['uneven'] = message_of(cache, model, optim_wrapper, batch(ZERO_SIZE if rank else 1))
    result['accumulation'] = message_of(cache, *wrapped(build(double=False), stage=1, accumulation=4), batch(ZERO_SIZE))
    return result


def message_of(cache, model, optim_wrapper, data):
    """Text of the error that a step ends with."""
    try:
        cache.train_step(model, data, optim_wrapper)
    except ValueError as error:
        return str(error)
    return 'no error'


def single_process():
    """What `zero` is compared with: plain steps on the batches of both ranks as one."""
    model = build(double=False)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    for step in range(STEPS):
        log = model.train_step(batch(2 * ZERO_SIZE, first=2 * ZERO_SIZE * step), wrapper)
    return {name: value.detach() for name, value in model.named_parameters()}, log['loss']


if __name__ == '__main__':
    rank, world_size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    dist.init_process_group('gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=world_size)
    torch.save({'ddp': ddp(rank), 'zero': zero(rank)}, folder / f'{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()
