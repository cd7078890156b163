import pytest
import torch

from florence.layers import DropPath, drop_path_rates


def test_whole_samples_are_dropped_and_the_mean_is_kept():
    drop, x = DropPath(0.3).train(), torch.ones(20000, 2, 3)
    y = drop(x)
    assert torch.equal(y.amin((1, 2)), y.amax((1, 2)))
    assert set(y[:, 0, 0].tolist()) == {0.0, y.max().item()}
    assert y.max().item() == pytest.approx(1 / 0.7)
    assert (y[:, 0, 0] == 0).float().mean().item() == pytest.approx(0.3, abs=0.015)
    assert y.mean().item() == pytest.approx(1.0, abs=0.02)


def test_evaluation_and_rate_zero_pass_through():
    x = torch.randn(4, 3)
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0).train()(x) is x


@pytest.mark.parametrize('rate', [-0.1, 1.0])
def test_rates_outside_the_range_are_refused(rate):
    with pytest.raises(ValueError, match='drop path rate'):
        DropPath(rate)


def test_rates_rise_linearly_over_all_blocks():
    rates = drop_path_rates(0.4, (2, 1, 2))
    assert [len(stage) for stage in rates] == [2, 1, 2]
    assert sum(rates, []) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert drop_path_rates(0.4, (1,)) == [[0.0]]
