"""Products of tiles: every precision and layout, with oneDNN and without."""

import pytest
import torch

from florence.models.losses import matmul
from florence.models.losses.matmul import add_product_, product


@pytest.mark.parametrize('onednn', [True, False])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_product_and_sum_of_products(monkeypatch, dtype, onednn):
    a, b = torch.randn(37, 19).to(dtype), torch.randn(19, 23).to(dtype)
    expected = a.double() @ b.double()
    tolerance = 1e-14 if dtype == torch.float64 else 2e-6
    start = torch.randn(37, 23, dtype=torch.promote_types(dtype, torch.float32))
    if not onednn:
        monkeypatch.setattr(matmul, '_onednn_serves', lambda x: False)
    for left in (a, a.t().contiguous().t()):
        got = product(left, b)
        assert got.dtype == start.dtype
        assert (got - expected).abs().max() <= tolerance * expected.abs().max()
        total = start.clone()
        add_product_(total, left, b)
        assert (total - (start.double() + expected)).abs().max() <= tolerance * expected.abs().max()
