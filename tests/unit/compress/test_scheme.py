"""Schemes and their table."""

from __future__ import annotations

import pytest

from edgenet.compress.scheme import SCHEMES, Scheme
from edgenet.errors import UsageError


def test_the_table_begins_with_what_every_target_takes() -> None:
    """Among equals the first is preferred."""
    assert next(iter(SCHEMES)) == "s8s8-minmax" == Scheme().name
    assert all(scheme.name == name for name, scheme in SCHEMES.items())


@pytest.mark.parametrize("percentile", [0.999, 99.8, 100.1, float("nan")])
def test_a_percentile_that_is_not_in_its_range_is_refused(percentile: float) -> None:
    """A fraction taken for a percentage would clip nearly everything."""
    with pytest.raises(UsageError, match="percentile"):
        Scheme(percentile=percentile)


def test_other_activations_are_refused() -> None:
    """There are two kinds."""
    with pytest.raises(UsageError, match="int4"):
        Scheme(activations="int4")  # type: ignore[arg-type] # what is tested


def test_a_scheme_is_plain_json() -> None:
    """It goes into a manifest."""
    assert Scheme(exclude=("output",), percentile=99.9).to_json() == {
        "name": "s8s8-p99.9",
        "activations": "int8",
        "percentile": 99.9,
        "exclude": ["output"],
        "fp32_narrow_output": False,
        "weight_bits": 8,
        "learned": False,
    }


def test_learned_ranges_have_a_name_and_bits_of_their_own() -> None:
    """Training with rounding gives them; 4 bits are for it alone."""
    assert Scheme(learned=True).name == "s8s8-learned"
    assert Scheme(learned=True, weight_bits=4).name == "s8s4-learned"
    with pytest.raises(UsageError, match="weights of 4 bits"):
        Scheme(weight_bits=4)
    with pytest.raises(UsageError, match="weights of 5 bits"):
        Scheme(weight_bits=5, learned=True)
    with pytest.raises(UsageError, match="learned ranges are those of int8"):
        Scheme(activations="uint8", learned=True)
