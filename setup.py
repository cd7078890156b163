"""Packaging of florence. Reads text files only: it must not import torch, so that isolated builds work."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def version() -> str:
    """The version, read without importing the package."""
    return re.search(r"__version__ = '(.+)'", (ROOT / 'florence/version.py').read_text()).group(1)


def requirements(name: str) -> list[str]:
    """Lines of `requirements/NAME.txt`, with the lines of the files it includes."""
    found = []
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
        line = line.split('#')[0].strip()
        if line.startswith('-r'):
            found += requirements(Path(line[2:].strip()).stem)
        elif line:
            found.append(line)
    return found


setup(
    name='florence',
    version=version(),
    description='Florence and Florence-2: vision foundation models as an OpenMMLab-style toolbox',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['florence', 'florence.*']),
    install_requires=requirements('runtime') + requirements('mminstall'),
    extras_require={name: requirements(name) for name in ('data', 'demo', 'finetune', 'onnx', 'tests', 'docs')},
    classifiers=['Programming Language :: Python :: 3', 'License :: OSI Approved :: Apache Software License'],
)
