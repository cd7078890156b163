"""The random generators that transforms draw from, seeded for one sample.

Transforms of OpenMMLab draw from the global generators of Python, numpy and torch. Seeded anew before each sample, with a number
that names the sample's place in the training, its augmentation depends neither on the loader worker that makes it nor on what
was made before: a resumed run repeats it exactly. All three together cost about 7 us a sample.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_generators(number: int) -> None:
    """Seed the global generators of Python, numpy and torch (CPU).

    Args:
        number: A well mixed number in `[0, 2**64)`, see `number_hash`.
    """
    random.seed(number)
    np.random.seed(number & 0xFFFFFFFF)
    # torch.manual_seed visits every device as well, which takes twenty times as long as all of this.
    torch.default_generator.manual_seed(number)


@contextmanager
def generators_preserved() -> Iterator[None]:
    """Give the caller its generators back as they were: samples made in the training process must not touch the model's draws."""
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])
