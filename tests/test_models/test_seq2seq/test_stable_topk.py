"""stable_topk: a stable sort, cut."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from florence.models.seq2seq.stable_topk import stable_topk

scores = st.lists(st.sampled_from([-float('inf'), -1.0, 0.0, 0.5, 2.0]), min_size=6, max_size=6)


@given(st.lists(scores, min_size=1, max_size=4), st.integers(1, 6))
def test_equals_a_stable_sort(rows, k):
    table = torch.tensor(rows)
    values, indices = table.sort(descending=True, stable=True)
    found_values, found_indices = stable_topk(table, k)
    assert torch.equal(found_values, values[:, :k])
    assert torch.equal(found_indices, indices[:, :k])


def test_equals_topk_where_nothing_is_equal():
    table = torch.randn(3, 5000)
    assert torch.equal(stable_topk(table, 10)[1], table.topk(10)[1])
