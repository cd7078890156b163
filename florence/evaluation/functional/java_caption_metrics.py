"""METEOR and SPICE through the Java programs that come with pycocoevalcap; both are optional.

METEOR needs a Java runtime and pycocoevalcap. SPICE needs Stanford CoreNLP 3.6.0 with its models besides (384 MB), which
pycocoevalcap loads from the network on first use: here it counts as missing until its files are there, nothing is loaded in the
middle of an evaluation.
"""

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

SPICE_FILES = ('stanford-corenlp-3.6.0.jar', 'stanford-corenlp-3.6.0-models.jar')
Scorer = Callable[[Sequence[str], Sequence[Sequence[str]]], tuple[float, np.ndarray]]


def why_not(metric: str) -> str | None:
    """Why a metric cannot run on this machine; None if it can.

    Args:
        metric: `'meteor'` or `'spice'`.
    """
    if importlib.util.find_spec('pycocoevalcap') is None:
        return f'{metric} needs pycocoevalcap: pip install pycocoevalcap'
    if shutil.which('java') is None:
        return f'{metric} needs Java: install a Java runtime (8 or later) and put `java` on the PATH'
    folder = pycocoevalcap_folder() / metric
    missing = [name for name in SPICE_FILES if metric == 'spice' and not (folder / 'lib' / name).is_file()]
    if missing:
        return f'spice needs {" and ".join(missing)} in {folder / "lib"}: call pycocoevalcap.spice.get_stanford_models once'
    return None


def pycocoevalcap_folder() -> Path:
    """Where pycocoevalcap is installed."""
    spec = importlib.util.find_spec('pycocoevalcap')
    assert spec and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def meteor(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, np.ndarray]:
    """METEOR 1.5 of tokenized captions: of the corpus, and of each image `(N,)`; fractions."""
    from pycocoevalcap.meteor.meteor import Meteor

    score, of_images = Meteor().compute_score(*_official_form(hypotheses, references))
    return float(score), np.array(of_images, dtype=np.float64)


def spice(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, np.ndarray]:
    """SPICE 1.0 of tokenized captions: of the corpus, and of each image `(N,)`; fractions, NaN where it is not defined."""
    from pycocoevalcap.spice.spice import Spice

    score, of_images = Spice().compute_score(*_official_form(hypotheses, references))
    return float(score), np.array([float(image['All']['f']) for image in of_images])


def _official_form(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[dict, dict]:
    """References and hypotheses by index, each in a list."""
    return {index: list(own) for index, own in enumerate(references)}, {index: [text] for index, text in enumerate(hypotheses)}


JAVA_METRICS: dict[str, Scorer] = {'meteor': meteor, 'spice': spice}
