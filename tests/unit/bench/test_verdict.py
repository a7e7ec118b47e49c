"""Whether a measurement is to be believed, told from a machine's counters that a test invents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgenet.bench.verdict import Limits, Window, judge
from edgenet.runner import host
from edgenet.statistics.tails import samples_needed

QUIET = {"user": 1000, "nice": 0, "system": 100, "idle": 9000, "iowait": 0, "steal": 0}
STATE: Mapping[str, Any] = {
    "at_ns": 0,
    "cpu_ticks": QUIET,
    "ticks_per_s": 100,
    "swapped_in_pages": 50,
    "frequencies_khz": [2_000_000, 1_200_000],
    "temperatures_c": {"0 cpu": 60.0},
    "quota_throttled": {"nr_throttled": 3},
    "throttling": {"events": 4, "flags": 0},
    "own": {"user_s": 1.0, "system_s": 0.1, "waited_s": 0.5},
}


def later(**changes: Any) -> dict[str, Any]:
    """Return the state 2 s later on two cores: one busy with us, one idle; with changes."""
    ticks = {**QUIET, "user": 1200, "idle": 9200}
    own = {"user_s": 3.0, "system_s": 0.1, "waited_s": 0.51}
    return {**STATE, "at_ns": 2_000_000_000, "cpu_ticks": ticks, "own": own, **changes}


def queries(n: int = 400, ns: int = 30_000) -> NDArray[np.int64]:
    """Return n query times with the noise of a quiet machine."""
    draw = np.random.Generator(np.random.PCG64(n))
    return (ns * (1 + 0.02 * np.abs(draw.normal(size=n)))).astype(np.int64)


def window(process: str = "one", **changes: Any) -> Window:
    """Return the window of a quiet machine, with changes of its later state or of itself."""
    own = {name: changes.pop(name) for name in ("query_ns", "steady") if name in changes}
    return Window(
        process=process,
        query_ns=own.get("query_ns", queries()),
        before=STATE,
        after=later(**changes),
        steady=own.get("steady", True),
    )


def codes(*windows: Window) -> set[str]:
    """Return the codes of the reasons."""
    return {reason.code for reason in judge(windows).reasons}


def test_a_quiet_machine_is_believed() -> None:
    """Its own work is no other load."""
    verdict = judge([window("one"), window("two")])
    assert verdict.valid
    assert verdict.to_json() == {"verdict": "VALID", "reasons": []}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("other-load", {"cpu_ticks": {**QUIET, "user": 1225, "idle": 9175}}),
        ("waiting", {"own": {"user_s": 3.0, "system_s": 0.1, "waited_s": 0.6}}),
        ("steal", {"cpu_ticks": {**QUIET, "user": 1200, "idle": 9180, "steal": 20}}),
        ("swap-in", {"swapped_in_pages": 51}),
        ("frequency", {"frequencies_khz": [1_800_000, 1_800_000]}),
        ("temperature", {"temperatures_c": {"0 cpu": 60.0, "1 gpu": 97.0}}),
        ("throttled", {"quota_throttled": {"nr_throttled": 4}}),
        ("throttled", {"throttling": {"events": 5, "flags": None}}),
        ("throttled", {"throttling": {"events": None, "flags": 4}}),
        ("not-steady", {"steady": False}),
        ("drift", {"query_ns": np.concatenate([queries(ns=30_000), queries(ns=33_000)])}),
        ("too-few-samples", {"query_ns": queries(63)}),
    ],
)
def test_a_disturbance_is_a_reason_of_its_own(code: str, changes: dict[str, Any]) -> None:
    """Exactly that one, with what was seen."""
    verdict = judge([window(**changes)])
    assert [reason.code for reason in verdict.reasons] == [code]
    assert (
        any(character.isdigit() for character in verdict.reasons[0].detail) or code == "not-steady"
    )
    assert verdict.word == "INVALID"


def test_one_disturbed_process_of_several_is_enough_and_is_named() -> None:
    """The others cannot make up for it."""
    disturbed = window("third", swapped_in_pages=900)
    verdict = judge([window("first"), window("second"), disturbed])
    (reason,) = verdict.reasons
    assert reason.code == "swap-in"
    assert "third" in reason.detail
    assert "850" in reason.detail


def test_of_each_kind_the_worst_is_told() -> None:
    """One line of it, not one for every process."""
    verdict = judge([window("first", swapped_in_pages=60), window("second", swapped_in_pages=950)])
    assert [reason.detail for reason in verdict.reasons] == [
        "900 pages were read back from swap (second)"
    ]


@pytest.mark.parametrize("where", ["our core", "another core"])
def test_a_hog_that_starts_in_the_middle_is_found(where: str) -> None:
    """On our core it takes half of one of the two seconds, on another the whole of it."""
    shared = where == "our core"
    ticks = {**QUIET, "user": 1200 if shared else 1300, "idle": 9200 if shared else 9100}
    own = {"user_s": 2.5 if shared else 3.0, "system_s": 0.1, "waited_s": 1.0 if shared else 0.5}
    found = codes(window(cpu_ticks=ticks, own=own))
    assert found == ({"other-load", "waiting"} if shared else {"other-load"})


def test_two_ticks_and_an_idle_systems_daemons_say_nothing() -> None:
    """0.15 s of them in 2 s; the counters step by 10 ms."""
    ticks = {**QUIET, "user": 1215, "idle": 9180, "steal": 5}
    assert codes(window(cpu_ticks=ticks)) == set()


def test_stolen_time_counts_in_cores_however_many_the_machine_has() -> None:
    """A sixty-fourth of the machine may be all of the core that we were pinned to."""
    ticks = {**QUIET, "user": 1100, "idle": 9000 + 63 * 200, "steal": 100}
    own = {"user_s": 2.0, "system_s": 0.1, "waited_s": 0.5}
    assert codes(window(cpu_ticks=ticks, own=own)) == {"steal"}


def test_a_process_that_tells_nothing_of_its_machine_is_judged_by_its_samples() -> None:
    """An older runner on a board."""
    silent = Window(process="one", query_ns=queries(), before={}, after={}, steady=True)
    assert judge([silent]).valid
    short = Window(process="one", query_ns=queries(63), before={}, after={}, steady=True)
    assert [reason.code for reason in judge([short]).reasons] == ["too-few-samples"]


def test_processes_that_differ_are_a_reason() -> None:
    """Each is quiet in itself."""
    assert codes(window("one"), window("two", query_ns=queries(ns=34_000))) == {"spread"}
    assert codes(window("one"), window("two", query_ns=queries(ns=32_000))) == set()


@pytest.mark.parametrize("name", [name for name in STATE if name != "at_ns"])
def test_what_a_machine_does_not_tell_is_no_reason(name: str) -> None:
    """Boards without such counters are measured, too."""
    for before, after in (({**STATE, name: None}, later()), (STATE, later(**{name: None}))):
        silent = Window(process="one", query_ns=queries(), before=before, after=after, steady=True)
        assert judge([silent]).valid


def test_a_real_machines_snapshots_can_be_judged() -> None:
    """The fields that are read are those that the runner writes."""
    before = host.snapshot()
    real = Window(
        process="one", query_ns=queries(), before=before, after=host.snapshot(), steady=True
    )
    assert set(STATE) <= set(before)
    generous = Limits(
        other_load_cores=1e9, steal_cores=1e9, waiting_share=1e9, frequency_drop=1.0, hottest_c=1e9
    )
    assert {reason.code for reason in judge([real], generous).reasons} <= {"swap-in", "throttled"}


@pytest.mark.parametrize(("q", "n"), [(0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_samples_that_a_quantile_takes_are_mlperfs(q: float, n: int) -> None:
    """Its rules name these four; the smallest n with a chance of at most 1 % below two."""
    assert samples_needed(q) == n


@pytest.mark.parametrize(("q", "confidence"), [(0.0, 0.99), (1.0, 0.99), (0.9, 0.0), (0.9, 1.0)])
def test_a_share_that_is_none_is_refused(q: float, confidence: float) -> None:
    """Neither the least nor the greatest sample is a quantile."""
    with pytest.raises(ValueError, match="not between 0 and 1"):
        samples_needed(q, confidence)
