"""One of several gloo ranks: trains the tiny model under one variant after another and writes down what happened.

Usage: strategies_worker.py OUT_DIR VARIANT... ; rank 0 writes OUT_DIR/VARIANT.json.
"""

import json
import sys
import traceback
from pathlib import Path

import torch
import torch.distributed as dist
from tiny_training import tiny_config, train


def deepspeed(stage, **options):
    return {'strategy': {'type': 'DeepSpeedStrategy', 'stage': stage, **options}}


BF16 = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'bfloat16'}
FP16 = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'float16'}
SHORT = {'train_cfg.max_iters': 6}
DROP_PATH = {'model.image_tower.drop_path_rate': 0.5, **SHORT}
RECOMPUTED = {'activation_checkpointing': ['*.attn', 'text_tower.blocks.*']}
CACHED = {'train_cfg.gradient_cache': {'chunk_size': 6}, **SHORT}

VARIANTS = {
    'ddp': {},
    'zero1': deepspeed(1),
    'zero2': deepspeed(2),
    'zero3': deepspeed(3),
    'zero2_offload': {**deepspeed(2, offload='optimizer'), **SHORT},
    'zero3_offload': {**deepspeed(3, offload='all'), **SHORT},
    'ddp_bf16': {**BF16, **SHORT},
    'ddp_fp16': {**FP16, **SHORT},
    'zero1_fp16': {**deepspeed(1), **FP16, **SHORT},
    'zero2_bf16': {**deepspeed(2), **BF16, **SHORT},
    'zero2_fp16': {**deepspeed(2), **FP16, **SHORT},
    'zero3_bf16': {**deepspeed(3), **BF16, **SHORT},
    'zero3_fp16': {**deepspeed(3), **FP16, **SHORT},
    'zero2_bf16_weights': {**deepspeed(2, config={'bf16': {'enabled': True}}), **SHORT},
    'ddp_drop_path': DROP_PATH,
    'ddp_recomputed': {**DROP_PATH, **RECOMPUTED},
    'zero2_recomputed': {**deepspeed(2), **DROP_PATH, **RECOMPUTED},
    'zero3_recomputed': {**deepspeed(3), **DROP_PATH, **RECOMPUTED},
    'ddp_cached': CACHED,
    'zero2_cached': {**deepspeed(2), **CACHED},
    'zero3_cached': {**deepspeed(3), **CACHED},
    'ddp_accumulated': {'optim_wrapper.accumulative_counts': 2, **SHORT},
    'zero2_accumulated': {**deepspeed(2), 'optim_wrapper.accumulative_counts': 2, **SHORT},
    'zero2_from_file': {**deepspeed(2), 'load_from': '{out}/ddp/iter_20.pth', **SHORT},
    'zero3_from_file': {**deepspeed(3), 'load_from': '{out}/ddp/iter_20.pth', **SHORT},
    'ddp_from_file': {'load_from': '{out}/ddp/iter_20.pth', **SHORT},
    'ddp_from_zero3': {'load_from': '{out}/zero3/iter_20.pth', **SHORT},
}


def main() -> None:
    out = Path(sys.argv[1])
    for name in sys.argv[2:]:
        options = {key: value.format(out=out) if isinstance(value, str) else value for key, value in VARIANTS[name].items()}
        try:
            cfg = tiny_config(out / name, options, launcher='pytorch', ranks=2)
            runner, recorder = train(cfg)
        except Exception:
            (out / f'{name}.error').write_text(traceback.format_exc())
            raise
        if dist.get_rank() == 0:
            result = {
                'losses': list(recorder.losses.values()),
                'scales': recorder.scales,
                'dtypes': {key: sorted(value) for key, value in recorder.probe.seen.items()},
                'weight_dtype': str(next(runner.model.parameters()).dtype),
            }
            (out / f'{name}.json').write_text(json.dumps(result))
        del runner, recorder, cfg
        torch._dynamo.reset() if hasattr(torch, '_dynamo') else None
    dist.destroy_process_group()


if __name__ == '__main__':
    main()
