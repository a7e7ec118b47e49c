"""The table of formats."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgenet.errors import UsageError
from edgenet.export import ALIASES, DEFAULT, ENGINES, TABLE, canonical_name


def test_the_default_and_every_alias_are_in_the_table() -> None:
    """An alias of nothing would be an error at the worst moment."""
    assert DEFAULT in TABLE
    assert set(ALIASES.values()) <= {*TABLE, *ENGINES}


@pytest.mark.parametrize(
    ("given", "name"), [("ONNX", "onnx"), ("ts", "torchscript"), ("TRT", "engine")]
)
def test_aliases_and_case_are_understood(given: str, name: str) -> None:
    """As people type them."""
    assert canonical_name(given) == name


def test_a_typo_is_an_error_that_names_the_nearest_format() -> None:
    """Never another format in silence."""
    with pytest.raises(UsageError) as error:
        canonical_name("onyx")
    assert error.value.hint == "did you mean 'onnx'?"


def test_the_table_imports_neither_torch_nor_onnx() -> None:
    """It is on the way to --help."""
    code = "import sys, edgenet.export; print({'torch', 'onnx', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
