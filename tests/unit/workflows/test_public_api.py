"""The public API: complete, lazy, and functions whatever was imported before."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import edgenet.workflows as api


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_is_there_and_is_no_module(name: str) -> None:
    """Also after all submodules were imported by name, which sets attributes of the package."""
    for module in pkgutil.iter_modules(api.__path__):
        importlib.import_module(f"{api.__name__}.{module.name}")
    assert not isinstance(getattr(api, name), ModuleType)
    assert callable(getattr(api, name))


def test_the_list_of_names_is_the_table_of_homes() -> None:
    """What type checkers see is what there is."""
    assert sorted(api._HOME_OF) == sorted(api.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        getattr(api, "trian")  # noqa: B009 - type checkers would refuse the plain form


def test_importing_the_api_imports_nothing_heavy() -> None:
    """The measuring verbs must work where torch is not installed."""
    code = (
        "import sys, edgenet.workflows; "
        "print([m for m in ('torch', 'onnx', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.strip() == "[]"
