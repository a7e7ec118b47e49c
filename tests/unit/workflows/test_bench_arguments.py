"""What ``bench`` may be asked for, and how long that takes."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.errors import UsageError
from edgenet.workflows.bench_arguments import BenchArguments


@pytest.mark.parametrize(
    "wrong",
    [
        {"sources": ()},
        {"runtimes": ("onnxrutime",)},
        {"runtimes": ("onnxruntime", "onnxruntime")},
        {"threads": 0},
        {"device": "toaster"},
        {"batches": ()},
        {"batches": (0,)},
        {"batches": (1, 1)},
        {"batches": (100_000,)},
        {"duration_s": 0},
        {"duration_s": float("nan")},
        {"warmup_s": -1},
        {"processes": 0},
        {"time_limit_s": 0},
        {"split_seed": -1},
        {"name": "../x"},
        {"name": ""},
        {"memory_limit_bytes": 0},
        {"runtimes": ("all", "onnxruntime")},
    ],
)
def test_arguments_check_themselves(wrong: dict[str, Any]) -> None:
    """Before anything is opened."""
    with pytest.raises(UsageError):
        BenchArguments(**{"sources": ("x",), **wrong})


def test_the_default_plan_of_four_bundles_takes_a_minute_and_a_half() -> None:
    """What the clock is asked for; loading and the accuracy come on top."""
    arguments = BenchArguments(sources=("x",))
    timed = (*arguments.scenarios, arguments.end_to_end_for(None))
    seconds = sum(one.warmup_s + one.min_duration_s for one in timed)
    assert seconds * arguments.processes * 4 < 80


def test_the_processes_together_have_the_queries_that_the_quantiles_take() -> None:
    """662 for a p99 at batch 1, 64 for a p90 at the others, however many processes there are."""
    for processes in (1, 3, 7):
        arguments = BenchArguments(sources=("x",), processes=processes)
        first, *others = (one.min_queries * processes for one in arguments.scenarios)
        assert first >= 662
        assert min(others) >= 64


def test_the_only_batch_size_of_a_bundle_is_its_single_stream_whichever_it_is() -> None:
    """Measured as long as the least, with the queries of a p99, among those asked for or not."""
    arguments = BenchArguments(sources=("x",))
    whole = arguments.scenarios_for(None)[0]
    for fixed in (1, 8, 7):
        found = {one.batch: one for one in arguments.scenarios_for(fixed)}
        assert found[fixed] == whole._replace(batch=fixed)
        assert set(found) == {1, 8, 32, 64, fixed}


def test_a_long_measurement_is_not_ended_by_its_own_time_limit() -> None:
    """Unless a limit is asked for."""
    arguments = BenchArguments(sources=("x",), duration_s=3000, warmup_s=100)
    timed = (*arguments.scenarios, arguments.end_to_end_for(None))
    asked = sum(one.min_duration_s + 4 * one.warmup_s for one in timed)
    assert arguments.process_time_limit_s(arguments.scenarios) == 300 + asked
    limited = BenchArguments(sources=("x",), time_limit_s=7)
    assert limited.process_time_limit_s(limited.scenarios) == 7
