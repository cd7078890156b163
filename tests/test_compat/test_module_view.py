"""A module view exchanges names for its holder only."""

import math

import pytest

from florence.compat.module_view import ModuleView


def test_overrides_come_first_and_the_module_is_left_alone():
    view = ModuleView(math, pi=3, half=0.5)
    assert (view.pi, view.half, view.e, view.sqrt(4)) == (3, 0.5, math.e, 2)
    assert math.pi > 3.14
    assert not hasattr(math, 'half')


def test_unknown_name_raises_the_modules_error():
    with pytest.raises(AttributeError, match="module 'math' has no attribute 'tau2'"):
        _ = ModuleView(math).tau2
