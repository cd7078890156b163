"""State of all random generators of a process, to be saved with a checkpoint and put back when the run goes on."""

import random
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """States of Python's, numpy's and torch's global generators, those of the accelerator in use included."""
    name, keys, position, has_gauss, cached_gaussian = np.random.get_state()
    state: dict[str, Any] = {
        'python': random.getstate(),
        # Plain types: a checkpoint then loads without running pickled code.
        'numpy': (name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached_gaussian),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` returned; a state of an accelerator that is not here is passed over."""
    random.setstate(_as_tuples(state['python']))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def _as_tuples(state: Any) -> Any:
    """`random.setstate` insists on tuples, which some file formats turn into lists."""
    return tuple(map(_as_tuples, state)) if isinstance(state, list | tuple) else state
