"""The finder on small packages written by the tests."""

import contextlib
import importlib
import inspect
import sys

import pytest

from florence.compat.finder import Mend, MendingFinder


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A package `mendable` with the modules `a` and `b`, importable during the test."""
    folder = tmp_path / 'mendable'
    folder.mkdir()
    (folder / '__init__.py').write_text('')
    (folder / 'a.py').write_text('import mendable\nseen = getattr(mendable, "version", None)\ndef f(): return 1\n')
    (folder / 'b.py').write_text('value = "original"\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.split('.')[0] == 'mendable']:
        del sys.modules[name]


@contextlib.contextmanager
def with_version(module):
    import mendable

    mendable.version = '1'
    yield
    del mendable.version
    module.mended = True


def fill(module):
    module.value = 'stand-in'


def use(*mends):
    sys.meta_path.insert(0, MendingFinder(mends))


def test_body_runs_inside_the_mend(library):
    use(Mend('mendable.a', around=with_version))
    module = importlib.import_module('mendable.a')
    assert (module.seen, module.mended) == ('1', True)
    assert not hasattr(sys.modules['mendable'], 'version')
    assert inspect.getsource(module.f) == 'def f(): return 1\n'


def test_other_modules_are_not_touched(library):
    use(Mend('mendable.a', around=with_version))
    finder = sys.meta_path[0]
    assert finder.find_spec('mendable.b') is None
    assert type(importlib.import_module('mendable.b').__loader__).__name__ == 'SourceFileLoader'


def test_stand_in_only_where_the_module_is_missing(library):
    use(
        Mend('mendable.b', stand_in=fill),
        Mend('mendable.c', stand_in=fill, is_package=True),
        Mend('mendable.c.d', stand_in=fill),
    )
    assert importlib.import_module('mendable.b').value == 'original'
    assert importlib.import_module('mendable.c.d').value == 'stand-in'
    assert sys.modules['mendable.c'].__path__ == []


def test_replacement_where_the_module_exists(library):
    use(Mend('mendable.b', stand_in=fill, replace=True))
    assert importlib.import_module('mendable.b').value == 'stand-in'


def test_missing_module_without_stand_in_stays_missing(library):
    use(Mend('mendable.c', around=with_version))
    with pytest.raises(ModuleNotFoundError, match='mendable.c'):
        importlib.import_module('mendable.c')


def test_imported_modules_are_mended_at_once(library):
    module = importlib.import_module('mendable.a')
    finder = MendingFinder([Mend('mendable.a', around=with_version), Mend('mendable.b', around=with_version)])
    finder.mend_imported()
    assert module.mended
    assert 'mendable.b' not in sys.modules


def test_failing_import_raises_the_librarys_error(library):
    use(Mend('mendable.e', around=with_version))
    (path,) = sys.modules.get('mendable', importlib.import_module('mendable')).__path__
    with open(f'{path}/e.py', 'w') as file:
        file.write('1 / 0')
    importlib.invalidate_caches()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module('mendable.e')
    assert 'mendable.e' not in sys.modules
