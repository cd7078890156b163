"""UniCL against a double loop in float64, open_clip's loss, and itself across ranks."""

import math
import os
import subprocess
import sys
import textwrap

import pytest
import torch
import torch.nn.functional as F

from florence.models.losses import unicl
from florence.models.losses.unicl import UniCLLoss

N, D = 7, 5


def pairs(num=N, dtype=torch.float64):
    image = F.normalize(torch.randn(num, D, dtype=dtype), dim=1).requires_grad_()
    text = F.normalize(torch.randn(num, D, dtype=dtype), dim=1).requires_grad_()
    scale = torch.tensor(9.0, dtype=dtype, requires_grad=True)
    return image, text, scale


def double_loop(image, text, labels, scale):
    """Equation 1-3 of the paper, summed over anchors, one pair at a time; -1 matches only itself."""
    total = 0
    num = len(labels)
    for i in range(num):
        positives = [k for k in range(num) if k == i or (labels[k] == labels[i] != -1)]
        for k in positives:
            to_texts = torch.stack([scale * image[i] @ text[j] for j in range(num)])
            to_images = torch.stack([scale * text[i] @ image[j] for j in range(num)])
            total = total - (to_texts[k] - torch.log(torch.exp(to_texts).sum())) / len(positives)
            total = total - (to_images[k] - torch.log(torch.exp(to_images).sum())) / len(positives)
    return total


@pytest.mark.parametrize('impl', ['dense', 'streaming'])
@pytest.mark.parametrize(
    'labels', [[0, 1, 2, 3, 4, 5, 6], [3, 3, 1, 2**62, 3, 1, 8], [5] * 7, [-1] * 7, [-1, 4, 4, -1, 4, 9, -1]]
)
def test_equals_double_loop_with_gradients(labels, impl):
    labels = torch.tensor(labels)
    image, text, scale = pairs()
    expected = double_loop(image, text, labels, scale)
    expected_grads = torch.autograd.grad(expected, (image, text, scale))
    total = UniCLLoss(reduction='sum', impl=impl)(image, text, labels, scale)
    assert abs(total.item() - expected.item()) <= 1e-10
    for got, want in zip(torch.autograd.grad(total, (image, text, scale)), expected_grads, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-10)
    mean = UniCLLoss(impl=impl)(image, text, labels, scale)
    assert abs(mean.item() - expected.item() / (2 * N)) <= 1e-10


@pytest.mark.parametrize('impl', ['dense', 'streaming'])
def test_equals_clip_loss_when_all_texts_differ(impl):
    open_clip_loss = pytest.importorskip('open_clip.loss')
    image, text, scale = pairs(32, torch.float32)
    want = open_clip_loss.ClipLoss()(image, text, scale)
    got = UniCLLoss(impl=impl)(image, text, torch.arange(32), scale)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(
        torch.autograd.grad(got, (image, text, scale)), torch.autograd.grad(want, (image, text, scale)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_gradient_by_finite_differences():
    image, text, scale = pairs(4)
    labels = torch.tensor([1, 1, -1, 2])
    assert torch.autograd.gradcheck(lambda *args: UniCLLoss()(args[0], args[1], labels, args[2]), (image, text, scale))


def test_degenerate_batches_stay_finite():
    image, text, scale = pairs(1)
    loss = UniCLLoss()(image, text, torch.tensor([3]), scale)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    same = torch.ones(6, D, dtype=torch.float64) / math.sqrt(D)
    # all pairs alike and of one text: no direction is better than another
    assert UniCLLoss()(same, same, torch.full((6,), 4), scale).item() == pytest.approx(math.log(6))


@pytest.mark.parametrize('impl', ['dense', 'streaming'])
def test_logits_are_fp32_under_autocast(impl):
    image, text, _ = pairs(64, torch.float32)
    labels = torch.arange(64)
    want = UniCLLoss(impl=impl)(image, text, labels, 100.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = UniCLLoss(impl=impl)(image, text, labels, 100.0)
    assert got.dtype == torch.float32
    assert got.item() == want.item()
    half = UniCLLoss(impl=impl)(image.bfloat16(), text.bfloat16(), labels, 100.0)
    assert half.dtype == torch.float32


def test_labels_keep_all_their_bits():
    image, text, scale = pairs(2)
    # equal in float64, different in int64
    near = UniCLLoss()(image, text, torch.tensor([2**62, 2**62 + 1]), scale)
    far = UniCLLoss()(image, text, torch.tensor([1, 2]), scale)
    assert near.item() == far.item()


@pytest.mark.parametrize(
    ('labels', 'text_shape', 'message'),
    [
        (torch.zeros(N), (N, D), 'int64'),
        (torch.zeros(N - 1, dtype=torch.int64), (N, D), 'labels of shape'),
        (torch.zeros(N, dtype=torch.int64), (N, D + 1), 'one width'),
        (torch.zeros(N, dtype=torch.int64), (N + 1, D), 'one width'),
    ],
)
def test_mistakes_are_named(labels, text_shape, message):
    with pytest.raises(ValueError, match=message):
        UniCLLoss()(torch.randn(N, D), torch.randn(text_shape), labels, 1.0)


def test_unknown_choices():
    with pytest.raises(ValueError, match="'mean' or 'sum'"):
        UniCLLoss(reduction='none')
    with pytest.raises(ValueError, match="'auto', 'dense', 'streaming', 'triton', got 'flash'"):
        UniCLLoss(impl='flash')


def test_triton_without_gpu(monkeypatch):
    monkeypatch.delenv('TRITON_INTERPRET', raising=False)
    with pytest.raises(ValueError, match="needs a CUDA device.*torch.float32 on cpu: use impl='auto'"):
        UniCLLoss(impl='triton')(torch.randn(N, D), torch.randn(N, D), torch.arange(N), 1.0)


def test_one_logit_scale_for_all_pairs():
    image, text, scale = pairs()
    want = UniCLLoss()(image, text, torch.arange(N), scale)
    for same in (9.0, 9, scale.reshape(1)):
        got = UniCLLoss()(image, text, torch.arange(N), same)
        assert got.shape == ()
        assert got.item() == want.item()
    with pytest.raises(ValueError, match='one logit_scale'):
        UniCLLoss()(image, text, torch.arange(N), torch.ones(N))


def test_auto_is_dense_while_the_logits_are_few(monkeypatch):
    chosen = []
    for form in ('streaming_sum', '_dense_sum'):
        plain = getattr(unicl, form)
        monkeypatch.setattr(unicl, form, lambda *args, form=form, plain=plain: chosen.append(form) or plain(*args))
    largest = math.isqrt(unicl.MAX_DENSE_LOGITS)
    losses = []
    for num in (largest, largest + 1):
        image, text, scale = pairs(num)
        losses += [UniCLLoss(impl=impl)(image, text, torch.arange(num), scale).item() for impl in ('auto', 'dense')]
    assert chosen == ['_dense_sum', '_dense_sum', 'streaming_sum', '_dense_sum']
    assert losses[0] == losses[1]
    assert losses[2] == pytest.approx(losses[3], rel=1e-12)


RANK_SCRIPT = textwrap.dedent("""
    import sys
    import torch
    import torch.distributed as dist
    import torch.nn.functional as F
    from torch import nn
    from florence.models.losses import streaming, unicl
    from florence.models.losses.tiles import TORCH_TILES
    from florence.models.losses.unicl import UniCLLoss

    rank, folder = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)

    class Tiny(nn.Module):
        def __init__(self, impl):
            super().__init__()
            torch.manual_seed(0)
            self.image, self.text = nn.Linear(6, 4, dtype=torch.float64), nn.Linear(6, 4, dtype=torch.float64)
            self.logit_scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
            self.loss = UniCLLoss(impl=impl)

        def forward(self, image, text, labels):
            return self.loss(
                F.normalize(self.image(image), dim=1), F.normalize(self.text(text), dim=1), labels, self.logit_scale.exp()
            )

    def compare(impl, sizes):
        torch.manual_seed(1)
        total = sum(sizes)
        image, text = torch.randn(total, 6, dtype=torch.float64), torch.randn(total, 6, dtype=torch.float64)
        labels = torch.tensor([5, -1, 9, 5, 9, -1, 3, 5, 5, -1])[:total]
        model = nn.parallel.DistributedDataParallel(Tiny(impl))
        own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        loss = model(image[own], text[own], labels[own])
        loss.backward()
        average = loss.detach().clone()
        dist.all_reduce(average)
        single = Tiny('dense')
        single.loss.gather = False
        want = single(image, text, labels)
        want.backward()
        assert abs(average / len(sizes) - want) < 1e-9, (impl, sizes, average, want)
        for (name, got), (_, expected) in zip(model.module.named_parameters(), single.named_parameters()):
            error = (got.grad - expected.grad).abs().max() / expected.grad.abs().max()
            assert error < 1e-9, (impl, sizes, name, error)
        print('equal', impl, *sizes)

    streaming.SLICE_WIDTH = 3
    unicl.TORCH_TILES = TORCH_TILES._replace(cpu_size=(2, 3))
    for impl in ('dense', 'streaming'):
        for sizes in ([4, 4], [3, 6], [7, 1], [0, 5]):
            compare(impl, sizes)
""")


def test_two_ranks_give_the_single_process_gradient(tmp_path, repo_root):
    script = tmp_path / 'rank.py'
    script.write_text(RANK_SCRIPT)
    env = {**os.environ, 'PYTHONPATH': str(repo_root), 'OMP_NUM_THREADS': '1'}
    ranks = [
        subprocess.Popen(
            [sys.executable, script, str(rank), tmp_path],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=240) for process in ranks]
    assert all(process.returncode == 0 for process in ranks), outputs
    assert all(len(out.splitlines()) == 8 for out, _ in outputs)  # two forms, four ways to share the pairs
