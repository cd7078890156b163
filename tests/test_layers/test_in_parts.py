import torch

from florence.layers import in_parts


def test_rows_come_back_in_order_and_only_without_gradients(monkeypatch):
    monkeypatch.setattr(in_parts, 'PART_BYTES', 6 * 4)
    seen = []

    def double(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return 2 * x

    threads = torch.get_num_threads()
    x = torch.arange(18.0 * threads).view(-1, 2)  # 9 rows per thread, 2 fit
    assert torch.equal(in_parts.in_parts(double, x, 3), 2 * x)
    with torch.no_grad():
        assert torch.equal(in_parts.in_parts(double, x, 3), 2 * x)
        assert torch.equal(in_parts.in_parts(double, x[: 8 * threads], 3), 2 * x[: 8 * threads])
    assert [rows // threads for rows in seen] == [9, 2, 2, 2, 2, 1, 8]
