"""What ``quantize`` may be asked to do."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.compress.scheme import SCHEMES
from edgenet.errors import UsageError
from edgenet.workflows.quantize_arguments import QuantizeArguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scheme": "s8s8-minmx"}, "unknown scheme"),
        ({"activations": "int4"}, "unknown type of activations"),
        ({"stored": "int4"}, "unknown form of stored weights"),
        ({"scheme": "s8s8-minmax", "activations": "uint8"}, "contradict each other"),
        ({"max_drop": 0.0}, "cannot be shown"),
        ({"max_drop": 1.0}, "cannot be shown"),
        ({"max_drop": float("nan")}, "cannot be shown"),
        ({"max_rollbacks": -1}, "max_rollbacks"),
        ({"calib_samples": 0}, "calib_samples"),
        ({"calib_seed": -1}, "calib_seed"),
        ({"threads": 0}, "threads"),
        ({"threads": 10_000}, "threads"),
        ({"name": "a/b"}, "cannot be the name of a run"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_any_work(
    options: dict[str, Any], words: str
) -> None:
    """Exit code 2."""
    with pytest.raises(UsageError, match=words):
        QuantizeArguments(source="run", **options)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, [name for name in SCHEMES if name.startswith("s8s8")]),
        ({"activations": "uint8"}, [name for name in SCHEMES if name.startswith("u8s8")]),
        ({"activations": "any"}, list(SCHEMES)),
        ({"scheme": "u8s8-p99.9"}, ["u8s8-p99.9"]),
        ({"scheme": "s8s8-minmax", "activations": "any"}, ["s8s8-minmax"]),
    ],
)
def test_auto_tries_what_every_target_takes_unless_asked(
    options: dict[str, Any], names: list[str]
) -> None:
    """A named scheme says what its activations are."""
    assert [scheme.name for scheme in QuantizeArguments(source="run", **options).schemes] == names


def test_layers_that_stay_in_fp32_do_so_in_every_scheme() -> None:
    """Named ones, and the narrow output."""
    arguments = QuantizeArguments(source="run", exclude=("a", "b"), fp32_narrow_output=True)
    assert all(scheme.exclude == ("a", "b") for scheme in arguments.schemes)
    assert all(scheme.fp32_narrow_output for scheme in arguments.schemes)
