"""The Triton kernels: interpreted on CPU against the dense form, compiled for two GPUs, and run where there is one."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch
import torch.nn.functional as F

from florence.models.losses.unicl import UniCLLoss

pytest.importorskip('triton')

# In a process of its own: triton decides at its import whether to interpret.
INTERPRETED = textwrap.dedent("""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from triton import language as tl
    from triton.runtime import interpreter
    from florence.models.losses import triton_tiles
    from florence.models.losses.unicl import UniCLLoss

    torch.set_num_threads(1)

    # triton 3.9's interpreter keeps bf16 as its bits in uint16 and multiplies those: widen them before.
    plain_dot = interpreter.InterpreterBuilder.create_dot

    def widened(handle):
        if handle.dtype.scalar != tl.bfloat16:
            return handle
        return interpreter.TensorHandle((handle.data.astype(np.uint32) << 16).view(np.float32), tl.float32)

    def create_dot(self, a, b, *others):
        return plain_dot(self, widened(a), widened(b), *others)

    interpreter.InterpreterBuilder.create_dot = create_dot

    small = {'ROWS': 32, 'COLUMNS': 64, 'WIDTH_BLOCK': 16}
    triton_tiles.BLOCKS = {size: blocks | small for size, blocks in triton_tiles.BLOCKS.items()}
    triton_tiles.TRITON_TILES = triton_tiles.TRITON_TILES._replace(cpu_size=(96, 128))

    def loss_and_gradients(loss, image, text, labels, scale):
        inputs = [tensor.clone().requires_grad_() for tensor in (image, text, scale)]
        value = loss(inputs[0], inputs[1], labels, inputs[2])
        return value.detach(), *torch.autograd.grad(value, inputs)

    def compare(num, width, dtype, labels, scale, tolerance):
        image = F.normalize(torch.randn(num, width), dim=1)
        text = F.normalize(image + 0.3 * torch.randn(num, width), dim=1).to(dtype)
        image, scale = image.to(dtype), torch.tensor(scale)
        got = loss_and_gradients(UniCLLoss(impl='triton'), image, text, labels, scale)
        again = loss_and_gradients(UniCLLoss(impl='triton'), image, text, labels, scale)
        want = loss_and_gradients(UniCLLoss(impl='dense'), image.double(), text.double(), labels, scale.double())
        assert abs(got[0] - want[0]) <= 1e-6 * max(want[0], 1), (num, got, want)
        for ours, dense, same in zip(got[1:], want[1:], again[1:]):
            assert torch.equal(ours, same)
            error = (ours.double() - dense).norm() / dense.norm()
            assert error <= tolerance, (num, width, dtype, error)
        assert got[1].dtype == got[2].dtype == dtype
        print('equal', num, width, dtype)

    torch.manual_seed(0)
    for num, width in ((5, 8), (96, 16), (203, 37)):
        compare(num, width, torch.float32, torch.randint(-1, num // 2, (num,)), 14.3, 1e-6)
    compare(130, 33, torch.float32, torch.full((130,), 7), 14.3, 1e-6)
    compare(130, 33, torch.float32, torch.arange(130), 100.0, 1e-5)
    compare(150, 40, torch.bfloat16, torch.randint(-1, 60, (150,)), 14.3, 6e-3)
    compare(150, 40, torch.float16, torch.randint(-1, 60, (150,)), 14.3, 1e-3)

    one = loss_and_gradients(
        UniCLLoss(impl='triton'), torch.ones(1, 4) / 2, torch.ones(1, 4) / 2, torch.tensor([3]), torch.tensor(20.0)
    )
    assert all(tensor.abs().max() <= 1e-5 for tensor in one), one
    try:
        UniCLLoss(impl='triton')(torch.ones(2, 4).double(), torch.ones(2, 4).double(), torch.arange(2), 1.0)
    except ValueError as error:
        assert 'torch.float64' in str(error)
        print('refused float64')
""")

COMPILED = textwrap.dedent("""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from florence.models.losses import triton_tiles

    def compile_for(kernel, dtype, size, capability):
        options = dict(triton_tiles.BLOCKS[size])
        launch = {name: options.pop(name) for name in ('num_warps', 'num_stages')}
        index = {name: position for position, name in enumerate(kernel.arg_names)}
        types = dict.fromkeys(('u', 'v', 'gradient'), '*' + dtype) | dict.fromkeys(('num_rows', 'num_columns', 'width'), 'i32')
        signature = {name: 'constexpr' if name in options else types.get(name, '*fp32') for name in index}
        constants = {(index[name],): value for name, value in options.items()}
        aligned = {(index[name],): [['tt.divisibility', 16]] for name in index if name not in options}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
        return triton.compile(source, target=GPUTarget('cuda', capability, 32), options=launch)

    for kernel in (triton_tiles._log_sum_exp_kernel, triton_tiles._gradient_kernel):
        for dtype, size, capability in (('bf16', 2, 90), ('fp32', 4, 80)):
            built = compile_for(kernel, dtype, size, capability)
            assert ('wgmma.mma_async' if capability == 90 else 'mma.sync') in built.asm['ptx']
            assert 'atom' not in built.asm['ptx']
            assert built.metadata.shared <= 160 * 1024
            print(kernel.__name__, dtype, capability, len(built.asm['cubin']) > 0)
""")


def run(script, repo_root, **extra):
    env = {**os.environ, 'PYTHONPATH': str(repo_root), 'OMP_NUM_THREADS': '1', **extra}
    return subprocess.run([sys.executable, '-c', script], env=env, capture_output=True, text=True, timeout=240)


def test_interpreted_kernels_equal_the_dense_form(repo_root):
    result = run(INTERPRETED, repo_root, TRITON_INTERPRET='1')
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 8
    assert 'refused float64' in result.stdout


def test_kernels_compile_for_tensor_cores_without_atomics(repo_root, tmp_path):
    result = run(COMPILED, repo_root, TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET='0')
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('True') == 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')
@pytest.mark.parametrize('impl', ['streaming', 'triton'])
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 2e-6), (torch.bfloat16, 4e-3), (torch.float16, 1e-3)])
def test_on_a_gpu(impl, dtype, tolerance):
    num, width = 5000, 192
    image = F.normalize(torch.randn(num, width, device='cuda'), dim=1)
    text = F.normalize(image + 0.3 * torch.randn(num, width, device='cuda'), dim=1).to(dtype).requires_grad_()
    image, labels = image.to(dtype).requires_grad_(), torch.randint(-1, 900, (num,), device='cuda')
    scale = torch.tensor(14.3, device='cuda', requires_grad=True)
    runs = [torch.autograd.grad(UniCLLoss(impl=impl)(image, text, labels, scale), (image, text, scale)) for _ in range(2)]
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))
    exact = [tensor.detach().double().requires_grad_() for tensor in (image, text, scale)]
    wanted = torch.autograd.grad(UniCLLoss(impl='dense')(exact[0], exact[1], labels, exact[2]), exact)
    for got, want in zip(runs[0], wanted, strict=True):
        assert (got.double() - want).norm() <= tolerance * want.norm()
