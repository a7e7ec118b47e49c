"""Who is the best for this machine, told from invented rows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgenet.bench.best import best
from edgenet.bench.figures import Accuracy, Failure, Latency
from edgenet.bench.row import Row
from edgenet.bench.verdict import Reason, Verdict

DISTURBED = Verdict(reasons=(Reason(code="other-load", detail="1.00 cores"),))


def _latency(p50_us: float, *, batch: int = 1, verdict: Verdict | None = None) -> Latency:
    return Latency(
        batch=batch,
        n=700,
        p50_us=p50_us,
        p90_us=p50_us,
        p95_us=p50_us,
        p99_us=p50_us,
        p999_us=None,
        bind_p50_us=0.0,
        execute_p50_us=p50_us,
        fetch_p50_us=0.0,
        process_p50_us=(p50_us,),
        spread=0.0,
        images_per_s=1e6 / p50_us,
        steady=True,
        verdict=verdict or Verdict(reasons=()),
    )


def _row(
    name: str,
    p50_us: float,
    size_bytes: int,
    wrong: int | None = None,
    verdict: Verdict | None = None,
) -> Row:
    right = None
    if wrong is not None:
        share = 1 - wrong / 1000
        right = Accuracy(
            correct=1000 - wrong,
            n=1000,
            accuracy=share,
            low=share,
            high=share,
            digest="d",
            not_finite=0,
        )
    return Row(
        name=name,
        bundle=name,
        model="m",
        format="onnx",
        precision="fp32",
        runtime="onnxruntime",
        versions={},
        options={},
        threads=1,
        device="cpu",
        model_sha256="",
        size_bytes=size_bytes,
        processes=1,
        latency=(_latency(p50_us, verdict=verdict),),
        skipped=(),
        import_ms=None,
        load_ms=None,
        first_inference_ms=None,
        process_to_first_ms=None,
        baseline_mib=None,
        peak_mib=None,
        accuracy=right,
        accuracy_reason=None,
        failure=None,
    )


FAST = _row("fast", 10, 300, wrong=9)
SMALL = _row("small", 30, 100, wrong=9)
RIGHT = _row("right", 50, 200, wrong=5)
WORSE = _row("worse", 60, 300, wrong=9)


def test_each_superlative_has_its_row_and_the_pareto_set_all_that_is_not_beaten() -> None:
    """A row that another is at least as good as in everything is not in it."""
    found = best([FAST, SMALL, RIGHT, WORSE])
    assert found is not None
    assert (found.fastest, found.smallest) == (("fast",), ("small",))
    assert found.most_accurate == ("right",)
    assert found.pareto == ("fast", "small", "right")
    assert (found.believed, found.batch) == (True, 1)
    assert json.loads(json.dumps(found.to_json()))["axes"] == ["latency", "size", "accuracy"]


def test_equal_figures_share_a_place() -> None:
    """The order of the rows decides nothing."""
    twin = replace(FAST, name="twin")
    found = best([FAST, twin])
    assert found is not None
    assert found.fastest == found.smallest == found.pareto == ("fast", "twin")


def test_what_is_not_believed_does_not_compete_in_time() -> None:
    """Its size and answers are what they are."""
    disturbed = _row("disturbed", 1, 50, wrong=1, verdict=DISTURBED)
    crashed = replace(
        _row("crashed", 2, 60),
        failure=Failure(ending="crash", code="failed", reason="SIGSEGV", hint=None, processes=1),
    )
    found = best([SMALL, disturbed, crashed])
    assert found is not None
    assert (found.fastest, found.pareto) == (("small",), ("small",))
    assert (found.smallest, found.most_accurate) == (("disturbed",), ("disturbed",))


def test_where_nothing_is_believed_all_compete_and_that_is_said() -> None:
    """A busy machine still has a row that seemed the fastest."""
    rows = [replace(row, latency=(_latency(t, verdict=DISTURBED),)) for row, t in ((FAST, 9.0),)]
    found = best(rows)
    assert found is not None
    assert (found.fastest, found.believed) == (("fast",), False)


@pytest.mark.parametrize("other", ["trtexec", "none"])
def test_another_clock_never_competes(other: str) -> None:
    """Nor does a row without a figure."""
    away = replace(
        FAST, name="away", timed_by=other, latency=() if other == "none" else FAST.latency
    )
    found = best([SMALL, away])
    assert found is not None
    assert found.fastest == ("small",)
    assert best([away]) is None


def test_answers_to_other_pictures_are_not_compared() -> None:
    """Nor is a row left out of the Pareto set of latency and size for want of answers."""
    assert FAST.accuracy is not None
    other = replace(FAST, name="other", accuracy=replace(FAST.accuracy, digest="e", correct=1000))
    found = best([SMALL, other])
    assert found is not None
    assert (found.most_accurate, found.pareto) == (("small",), ("small",))
    silent = [replace(row, accuracy=None) for row in (FAST, SMALL, WORSE)]
    found = best(silent)
    assert found is not None
    assert (found.most_accurate, found.pareto) == ((), ("fast", "small"))
    assert found.axes == ("latency", "size")


def test_answers_to_other_pictures_are_not_compared_either_where_no_contender_answered() -> None:
    """Rows that do not compete in time may still have been evaluated, on different pictures."""
    one, two = (
        replace(_row(digest, 20, 400, wrong=wrong, verdict=DISTURBED), name=digest)
        for digest, wrong in (("d", 9), ("e", 0))
    )
    assert two.accuracy is not None
    two = replace(two, accuracy=replace(two.accuracy, digest="e"))
    found = best([replace(SMALL, accuracy=None), one, two])
    assert found is not None
    assert (found.fastest, found.most_accurate) == (("small",), ("d",))
