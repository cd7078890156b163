"""Import order, size of files, and what the package must not import at start."""

import ast
import subprocess
import sys

from conftest import REPO_ROOT

# May only shrink.
LONG_FILES: set[str] = set()


def package_files():
    return sorted((REPO_ROOT / 'florence').rglob('*.py'))


def test_import_layers():
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(REPO_ROOT / 'pyproject.toml'), no_cache=True) == 0


def test_files_hold_one_idea():
    too_long = {str(path.relative_to(REPO_ROOT)) for path in package_files() if len(path.read_text().splitlines()) > 300}
    assert too_long == LONG_FILES


def test_every_module_and_public_name_is_documented():
    missing = []
    for path in package_files():
        tree = ast.parse(path.read_text())
        if not ast.get_docstring(tree):
            missing.append(str(path))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith('_') and not ast.get_docstring(node):
                missing.append(f'{path}:{node.name}')
    assert missing == []


def test_configs_hold_no_import():
    offenders = [
        str(path)
        for path in sorted((REPO_ROOT / 'configs').rglob('*.py'))
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(path.read_text())))
    ]
    assert offenders == []


def test_importing_the_package_is_light():
    heavy = ('torch', 'mmcv', 'mmdet', 'mmaction', 'transformers', 'numpy')
    code = f'import sys, florence; print([name for name in {heavy} if name in sys.modules])'
    run = subprocess.run([sys.executable, '-c', code], cwd=REPO_ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == '[]'
