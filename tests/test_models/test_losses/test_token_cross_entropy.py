"""token_cross_entropy against torch's cross-entropy of whole logits."""

import pytest
import torch
import torch.nn.functional as F

from florence.models.losses import token_cross_entropy as module
from florence.models.losses.token_cross_entropy import token_cross_entropy


def inputs(dtype=torch.float64, rows=21, vocab_size=50, dims=8):
    torch.manual_seed(0)
    hidden, weight = torch.randn(rows, dims, dtype=dtype), torch.randn(vocab_size, dims, dtype=dtype)
    return hidden.requires_grad_(), weight.requires_grad_(), torch.randint(vocab_size, (rows,))


def plain(hidden, weight, targets):
    logits = hidden @ weight.t()
    return F.cross_entropy(logits, targets), (logits.argmax(1) == targets).to(logits.dtype).mean()


@pytest.mark.parametrize('chunk_size', [1, 4, 21, 512])
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_value_and_gradients_are_those_of_whole_logits(chunk_size, dtype, tolerance, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK_SIZE', chunk_size)
    hidden, weight, targets = inputs(dtype)
    targets[:9] = (hidden @ weight.t()).argmax(1)[:9]
    found, share = token_cross_entropy(hidden, weight, targets)
    wanted, wanted_share = plain(hidden, weight, targets)
    torch.testing.assert_close((found, share), (wanted, wanted_share), atol=tolerance, rtol=tolerance)
    gradients = torch.autograd.grad(3 * found, (hidden, weight))
    torch.testing.assert_close(gradients, torch.autograd.grad(3 * wanted, (hidden, weight)), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize('frozen', [0, 1])
def test_what_is_frozen_gets_no_gradient(frozen):
    *factors, targets = inputs()
    factors[frozen].requires_grad_(False)
    token_cross_entropy(*factors, targets)[0].backward()
    other = factors[1 - frozen]
    found, other.grad = other.grad, None
    plain(*factors, targets)[0].backward()
    torch.testing.assert_close(found, other.grad)
    assert factors[frozen].grad is None


def test_extreme_logits_stay_finite():
    hidden, weight, targets = inputs(torch.float32)
    found, wanted = (loss(1e4 * hidden, weight, targets)[0] for loss in (token_cross_entropy, plain))
    torch.testing.assert_close(found, wanted)
    assert torch.autograd.grad(found, hidden)[0].isfinite().all()


def test_autocast_rounds_the_factors_and_not_the_sums():
    hidden, weight, targets = inputs(torch.float32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = token_cross_entropy(hidden, weight, targets)[0]
    found.backward()
    assert found.dtype == weight.grad.dtype == torch.float32
    rounded = [factor.detach().bfloat16().float().requires_grad_() for factor in (hidden, weight)]
    wanted = plain(*rounded, targets)[0]
    torch.testing.assert_close(found, wanted)
    wanted.backward()
    torch.testing.assert_close(weight.grad, rounded[1].grad, atol=1e-3, rtol=0.01)


def test_without_gradients_none_are_made_and_a_second_backward_is_refused():
    hidden, weight, targets = inputs()
    with torch.no_grad():
        assert not token_cross_entropy(hidden, weight, targets)[0].requires_grad
    loss = token_cross_entropy(hidden, weight, targets)[0]
    loss.backward(retain_graph=True)
    with pytest.raises(ValueError, match='differentiated once'):
        loss.backward()
