"""Which students may be had for a budget."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgenet.compress.budget import MEASURES, Budget
from edgenet.compress.student_space import (
    LEAST_SHARE,
    MODEL,
    NAMED,
    Candidate,
    Shape,
    StudentSpace,
)
from edgenet.errors import UsageError
from edgenet.models import ModelSpec, variant
from edgenet.models.summary import summarise

DIGITS = ModelSpec(name=MODEL)
FIRST_OF_SEED_0 = Shape(channels=(8, 12), widths=(), kernel=3)


def drawn(budget: str, count: int, *, seed: int = 0, spec: ModelSpec = DIGITS) -> list[Candidate]:
    """Return candidates for a budget."""
    return list(StudentSpace(spec, Budget.parse(budget)).draw(count, seed=seed))


@given(
    measure=st.sampled_from(("params", "bytes", "macs")),
    limit=st.integers(4_000, 300_000),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_candidate_costs_more_than_the_budget_and_drawn_ones_use_it(
    measure: str, limit: int, seed: int
) -> None:
    """The cost is counted anew here, from the options that a training would get."""
    limit = max(limit, 30_000) if measure == "macs" else limit
    found = drawn(f"{measure}={limit}", 3, seed=seed)
    assert len({candidate.shape for candidate in found}) == 3
    for candidate in found:
        spec = ModelSpec(name=MODEL, options=candidate.shape.options())
        cost = MEASURES[measure](summarise(spec))
        assert cost <= limit
        assert cost >= LEAST_SHARE * limit or candidate.name
        assert candidate.summary.parameters == summarise(spec).parameters


def test_a_seed_means_the_same_candidates_always() -> None:
    """The generator's stream is guaranteed, so the first can be written down."""
    shapes = [candidate.shape for candidate in drawn("params=5400", 4)]
    assert shapes[1] == FIRST_OF_SEED_0
    assert shapes == [candidate.shape for candidate in drawn("params=5400", 4)]
    assert shapes != [candidate.shape for candidate in drawn("params=5400", 4, seed=1)]


def test_the_largest_student_with_a_name_that_keeps_the_budget_comes_first() -> None:
    """A search is not to end with less than what is known already."""
    assert [drawn(f"params={n}", 1)[0].name for n in (100_000, 16_982, 16_981)] == [
        "lenet5-relu",
        "lenet5-17k",
        "lenet5-5k",
    ]
    assert drawn("params=1000", 1)[0].name == ""


@pytest.mark.parametrize("name", NAMED)
def test_a_student_with_a_name_is_a_member_of_the_searched_family(name: str) -> None:
    """Its options, as the search writes them down, make the same network."""
    own = variant(name).options
    shape = Shape(channels=own.channels, widths=own.widths, kernel=own.kernel)
    assert variant(MODEL).with_options(shape.options()) == own


def test_a_budget_below_every_student_is_refused_with_the_smallest() -> None:
    """Two maps each, kernels of 3 and no hidden layer but one of four units: counted by hand."""
    smallest = (2 * 9 + 2) + (2 * 2 * 9 + 2) + (2 * 6 * 6 * 4 + 4) + (4 * 10 + 10)
    with pytest.raises(UsageError, match="no student has 100 parameters or less") as caught:
        drawn("params=100", 1)
    assert caught.value.hint is not None
    assert f"the smallest has {smallest} parameters" in caught.value.hint
    assert drawn(f"params={smallest}", 5)[0].summary.parameters == smallest
    with pytest.raises(UsageError):
        drawn(f"params={smallest - 1}", 1)


def test_pictures_that_are_too_small_for_a_kernel_get_the_other() -> None:
    """Of 8×8 pixels the second kernel of 5 would leave nothing."""
    small = ModelSpec(name=MODEL, in_channels=3, image_size=(8, 8), classes=4)
    found = drawn("params=2000", 4, spec=small)
    assert {candidate.shape.kernel for candidate in found} == {3}
    with pytest.raises(UsageError, match="leave nothing"):
        drawn("params=2000", 4, spec=ModelSpec(name=MODEL, image_size=(4, 4)))


def test_a_budget_with_few_students_gives_those_there_are() -> None:
    """Just above the smallest there is hardly a second one, and none is offered twice."""
    found = drawn("params=430", 12)
    assert len({candidate.shape for candidate in found}) == len(found) < 12
