"""`florence.compat.install` in fresh interpreters."""

import subprocess
import sys

import florence.compat
from florence.compat.finder import MendingFinder


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


def test_install_twice_leaves_one_finder():
    florence.compat.install()
    florence.compat.install()
    assert sum(isinstance(finder, MendingFinder) for finder in sys.meta_path) == 1


def test_install_imports_no_library():
    code = (
        'import sys; before = set(sys.modules); import florence.compat; florence.compat.install();'
        'names = {name.split(".")[0] for name in set(sys.modules) - before};'
        'print(sorted(names - set(sys.stdlib_module_names)))'
    )
    assert run_python(code) == "['florence']"


def test_mmcv_mmdet_and_mmaction_work_in_a_fresh_interpreter():
    """Some modules come before the mends, most after them."""
    mmdet = 'models datasets engine evaluation apis visualization structures utils'
    mmaction = 'registry models datasets engine evaluation apis visualization structures utils'
    names = [f'mmdet.{name}' for name in mmdet.split()] + [f'mmaction.{name}' for name in mmaction.split()]
    code = f"""
import importlib, time
import mmcv.utils, mmengine.dist, mmengine.runner.loops
import florence.compat
florence.compat.install()
import mmcv.ops, mmaction
for name in {names}:
    importlib.import_module(name)
print(
    len(mmaction.registry.MODELS),
    mmcv.__version__ == mmcv.version.__version__,
    mmcv.utils.check_ops_exist.__module__,
    mmengine.runner.loops.time.sleep is not time.sleep,
)
"""
    assert run_python(code) == '74 True florence.compat.mmcv True'
