"""BeamCache against plain concatenation and indexing of the keys of each beam."""

import pytest
import torch
import torch.nn.functional as F

from florence.models.seq2seq import BeamCache
from florence.models.seq2seq.beam_cache import FIRST_CAPACITY

LAYERS, HEADS, DIMS = 2, 3, 4


def attention(queries, keys, values, mask=None):
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
# A prompt of 3 tokens; then beams become more, change places, items leave, the capacity grows.
@pytest.mark.parametrize('num_steps', [4, FIRST_CAPACITY // 3])
def test_attends_as_the_past_of_each_beam_alone(num_steps, dtype):
    torch.manual_seed(num_steps)
    cache, items, beams, num_new = BeamCache(LAYERS), 3, 1, 3
    past = [[[torch.empty(2, HEADS, 0, DIMS, dtype=dtype)] for _ in range(items)] for _ in range(LAYERS)]
    for step in range(num_steps):
        cache.begin(torch.zeros(items, beams * num_new, HEADS * DIMS, dtype=dtype), beams)
        for layer in range(LAYERS):
            queries, keys, values = torch.randn(3, items, HEADS, beams * num_new, DIMS).to(dtype)
            found = attention(queries, *cache.append(layer, keys, values), cache.mask)
            for item in range(items):
                for beam in range(beams):
                    new = slice(beam * num_new, (beam + 1) * num_new)
                    own = torch.stack([keys[item, :, new], values[item, :, new]])
                    past[layer][item][beam] = torch.cat([past[layer][item][beam], own], 2)
                    causal = torch.ones(num_new, num_new).tril().bool() if num_new > 1 else None
                    wanted = attention(queries[item, :, new], *past[layer][item][beam], causal)
                    torch.testing.assert_close(
                        found[item, :, new], wanted, atol=1e-5 if dtype == torch.float32 else 1e-2, rtol=0.02
                    )
        leaving = torch.tensor([0, 2]) if step == 2 else None
        if leaving is not None:
            past = [[layer[item] for item in leaving] for layer in past]
            items = len(leaving)
        chosen = torch.randint(beams, (items, 4))
        cache.keep(leaving, chosen)
        past = [[[layer[i][beam] for beam in chosen[i]] for i in range(items)] for layer in past]
        beams, num_new = 4, 1
    assert cache.length == 3 + num_steps - 1


def test_one_beam_needs_no_mask_after_its_prompt():
    cache = BeamCache(1)
    for length, mask in ((3, True), (1, False), (1, False)):
        cache.begin(torch.zeros(2, length, 4), 1)
        cache.append(0, *torch.zeros(2, 2, 1, length, 4))
        assert (cache.mask is not None) == mask
        cache.keep(None, torch.zeros(2, 1, dtype=torch.int64))
