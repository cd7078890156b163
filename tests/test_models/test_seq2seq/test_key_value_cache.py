"""KeyValueCache against plain concatenation and indexing."""

import torch

from florence.models.seq2seq import KeyValueCache


def test_holds_what_concatenation_and_indexing_hold():
    cache, num_layers, heads, dims = KeyValueCache(2, capacity=7), 2, 3, 4
    expected = [(torch.empty(2, heads, 0, dims),) * 2 for _ in range(num_layers)]
    # Prompt of 3 tokens, beams become more, change places, become fewer.
    for num_new, rows in ((3, [0, 0, 1, 1]), (1, [3, 2, 0, 0]), (1, [1, 2]), (2, None)):
        for layer in range(num_layers):
            keys, values = torch.randn(2, len(expected[0][0]), heads, num_new, dims)
            expected[layer] = tuple(torch.cat(pair, 2) for pair in zip(expected[layer], (keys, values), strict=True))
            for found, wanted in zip(cache.append(layer, keys, values), expected[layer], strict=True):
                assert torch.equal(found, wanted)
        if rows is not None:
            cache.reorder(torch.tensor(rows))
            expected = [tuple(tensor[rows] for tensor in pair) for pair in expected]
    assert cache.length == 7
