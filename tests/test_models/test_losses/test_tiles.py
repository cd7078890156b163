"""One tile of the logits in plain torch, also where one exponential per value would leave the range of fp32."""

import pytest
import torch
import torch.nn.functional as F

from florence.models.losses.tiles import TORCH_TILES, TileGroups


def tile(dtype, scale, opposed):
    """Seven images, five texts; with `opposed`, logits of one tile lie up to 2 * scale apart, whole rows and columns of them."""
    u, v = F.normalize(torch.randn(7, 6), dim=1), F.normalize(torch.randn(5, 6), dim=1)
    if opposed:
        axis = F.normalize(torch.ones(6), dim=0)
        u[:4], u[4:] = axis, -axis
        v[:] = axis
        u, v = F.normalize(u + 0.01 * torch.randn(7, 6), dim=1), F.normalize(v + 0.01 * torch.randn(5, 6), dim=1)
    return u.to(dtype), v.to(dtype), torch.tensor(scale, dtype=torch.promote_types(dtype, torch.float32))


@pytest.mark.parametrize('scale', [1.0, 14.3, 100.0])
@pytest.mark.parametrize('opposed', [False, True])
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-13), (torch.float32, 2e-5), (torch.bfloat16, 4e-3)])
def test_log_sum_exps_and_gradient(dtype, tolerance, opposed, scale):
    u, v, scale = tile(dtype, scale, opposed)
    logits = (scale.double() * u.double() @ v.double().t()).requires_grad_()
    image_group, text_group = torch.tensor([0, 1, 2, 0, 3, 4, 1]), torch.tensor([0, 1, 5, 2, 0])
    share = torch.tensor([1 / 2, 1, 1, 1 / 2, 1, 1, 1], dtype=torch.float64)
    positive = torch.where(image_group[:, None] == text_group, share[:, None] * logits, 0).sum()
    row_lse, column_lse = logits.logsumexp(1), logits.logsumexp(0)
    weights = torch.tensor([1.0, 0.5], dtype=torch.float64)
    objective = weights[0] * (row_lse.sum() - 2 * positive) + weights[1] * column_lse.sum()
    (expected,) = torch.autograd.grad(objective, logits)

    rows, columns = TORCH_TILES.log_sum_exps(u, v, scale)
    assert rows.dtype == columns.dtype == torch.float64
    assert (rows - row_lse).abs().max() <= tolerance
    assert (columns - column_lse).abs().max() <= tolerance
    groups = TileGroups(image_group.to(scale.dtype), text_group.to(scale.dtype), share.to(scale.dtype))
    got = TORCH_TILES.gradient(u, v, scale, row_lse.detach(), column_lse.detach(), weights.to(scale.dtype), groups)
    assert got.dtype == dtype
    assert (got - expected).abs().max() <= tolerance * expected.abs().max()


def test_wide_logits_take_the_careful_way():
    """The two kinds of tiles above differ in what they prove only if the opposed one leaves the range."""
    u, v, scale = tile(torch.float32, 100.0, True)
    logits = scale * u @ v.t()
    assert (logits - logits.max()).exp().sum(1).min() == 0
    assert logits.logsumexp(0).min() - logits.logsumexp(1).min() > 120


def test_mistaken_numbers_stay_visible():
    u, v, scale = tile(torch.float32, 10.0, False)
    u[2, 3] = torch.nan
    rows, columns = TORCH_TILES.log_sum_exps(u, v, scale)
    assert rows.isnan().tolist() == [False, False, True, False, False, False, False]
    assert columns.isnan().all()
