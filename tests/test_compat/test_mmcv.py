"""Where `mmcv._ext` comes from."""

import importlib.machinery
import importlib.util
import sys
from unittest import mock

import mmcv.utils

from florence.compat import mmcv as mends
from florence.compat.finder import MendingFinder, _StandInLoader


class CompiledExtension:
    """Finds `mmcv._ext` as a compiled mmcv would have it found."""

    spec = importlib.machinery.ModuleSpec('mmcv._ext', loader=mock.sentinel.compiled)

    def find_spec(self, fullname, path=None, target=None):
        return self.spec if fullname == 'mmcv._ext' else None


def test_compiled_extension_is_used_untouched(monkeypatch):
    monkeypatch.setattr(sys, 'meta_path', [MendingFinder(mends.MENDS), CompiledExtension()])
    spec = importlib.util._find_spec('mmcv._ext', mmcv.__path__)
    assert spec is CompiledExtension.spec
    assert spec.loader is mock.sentinel.compiled


def test_extension_is_served_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(sys, 'meta_path', [MendingFinder(mends.MENDS)])
    assert isinstance(importlib.util._find_spec('mmcv._ext', mmcv.__path__).loader, _StandInLoader)


def test_check_ops_exist_needs_no_pkgutil(monkeypatch):
    monkeypatch.delattr('pkgutil.find_loader', raising=False)
    assert mmcv.utils.check_ops_exist()
    assert mmcv.utils.ext_loader.check_ops_exist is mmcv.utils.check_ops_exist
    with mock.patch.dict(sys.modules), mock.patch.object(sys, 'meta_path', []):
        sys.modules.pop('mmcv._ext', None)
        assert not mmcv.utils.check_ops_exist()


def test_environment_report_names_the_ops():
    from mmcv.utils.env import collect_env

    report = collect_env()
    assert report['MMCV'] == mmcv.__version__
    if isinstance(importlib.util.find_spec('mmcv._ext').loader, _StandInLoader):
        assert 'florence.compat' in report['MMCV Compiler']
