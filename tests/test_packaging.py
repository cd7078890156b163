"""What a wheel holds, and that building one needs nothing heavy."""

import ast
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import REPO_ROOT


def test_setup_imports_only_the_standard_library_and_setuptools():
    tree = ast.parse((REPO_ROOT / 'setup.py').read_text())
    imported = {
        name.split('.')[0]
        for node in ast.walk(tree)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, 'names', [])])
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {'re', 'pathlib', 'setuptools'}


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel built from a copy of the source, in an environment with nothing but setuptools."""
    source = tmp_path_factory.mktemp('source')
    for name in ('setup.py', 'pyproject.toml', 'README.md'):
        shutil.copy(REPO_ROOT / name, source / name)
    for name in ('florence', 'requirements'):
        shutil.copytree(REPO_ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    code = 'from setuptools import build_meta; build_meta.build_wheel(".")'
    subprocess.run([sys.executable, '-c', code], cwd=source, check=True, capture_output=True)
    return zipfile.ZipFile(next(source.glob('*.whl')))


def test_wheel_holds_every_module_and_nothing_else(wheel):
    packed = {name for name in wheel.namelist() if name.endswith('.py')}
    wanted = {str(path.relative_to(REPO_ROOT)) for path in (REPO_ROOT / 'florence').rglob('*.py')}
    assert packed == wanted


def test_wheel_names_its_requirements(wheel):
    metadata = wheel.read(next(name for name in wheel.namelist() if name.endswith('METADATA'))).decode()
    for requirement in ('torch', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'mmaction2', 'deepspeed', 'transformers'):
        assert f'Requires-Dist: {requirement}' in metadata
    assert 'Provides-Extra: tests' in metadata


def test_every_requirement_of_the_tests_is_pinned():
    pinned = {
        line.split('==')[0].lower().replace('_', '-')
        for line in (REPO_ROOT / 'requirements/constraints.txt').read_text().splitlines()
    }
    for name in ('runtime', 'mminstall', 'data', 'demo', 'finetune', 'onnx', 'tests'):
        for line in (REPO_ROOT / f'requirements/{name}.txt').read_text().splitlines():
            requirement = line.split('#')[0].strip()
            if requirement and not requirement.startswith('-r'):
                key = requirement.replace('>', '=').split('=')[0].strip().lower().replace('_', '-')
                assert key in pinned, f'{key} of {name}.txt has no line in constraints.txt'
