"""What trtexec prints and writes, on every recording, and on whatever else may come."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenet.runner.trtexec_parser import Report, Summary, parse_output, version_of_code
from edgenet.runner.trtexec_times import Times, parse_times
from tests.trtexec import (
    MEDIAN_MS,
    QUERIES,
    RECORDINGS,
    WARM_UP_QUERIES,
    recording,
    times_json,
)

PRINTED = sorted(path.name for path in RECORDINGS.glob("*.txt") if path.name != "flags.txt")
WHOLE = "nano_8.2.1_fp32.txt"


def test_a_whole_run_is_read_to_the_last_figure() -> None:
    """As a Jetson Nano printed it."""
    report = parse_output(recording(WHOLE))
    assert report.version == (8, 2, 1)
    assert report.passed is True
    assert report.throughput_qps == 11.0613
    assert report.summaries == {
        "latency": Summary(89.312, 91.492, 90.3919, 90.3035, {"99": 91.492}),
        "end-to-end": Summary(89.3254, 91.5049, 90.4048, 90.3167, {"99": 91.5049}),
        "enqueue": Summary(1.54553, 9.62085, 6.19246, 6.2948, {"99": 9.62085}),
        "h2d": Summary(0.274475, 0.288208, 0.277587, 0.276855, {"99": 0.288208}),
        "compute": Summary(89.0273, 91.2045, 90.1061, 90.0183, {"99": 91.2045}),
        "d2h": Summary(0.00683594, 0.00881958, 0.008238, 0.00830078, {"99": 0.00881958}),
    }
    assert (report.queries, report.warm_up_queries) == (QUERIES, WARM_UP_QUERIES)
    assert (report.wall_s, report.gpu_s, report.build_s) == (3.16419, 3.15371, 184.708)
    assert (report.device, report.compute_capability) == ("NVIDIA Tegra X1", (5, 3))
    assert len(report.warnings) == 1
    assert "INT64 weights" in report.warnings[0]
    assert (report.errors, report.missing) == ((), ())


def test_newer_versions_name_three_percentiles() -> None:
    """And have no end-to-end latency; transfers that were left out are zero."""
    report = parse_output(recording("orin_10.3.0_fp16.txt"))
    assert (report.version, report.passed, report.throughput_qps) == ((10, 3, 0), True, 318.007)
    assert report.summaries["latency"].percentiles_ms == {
        "90": 3.14587,
        "95": 3.14771,
        "99": 3.15039,
    }
    assert report.summaries["h2d"].max_ms == 0
    assert "end-to-end" not in report.summaries
    assert report.missing == ()


def test_a_part_of_a_run_says_what_is_missing() -> None:
    """Its figures are those that are there."""
    report = parse_output(recording("nano_8.2.1_best.txt"))
    assert (report.version, report.throughput_qps) == ((8, 2, 1), 72.2544)
    assert report.missing == ("enqueue", "h2d", "compute", "d2h")


def test_refused_flags_are_errors_and_a_failed_verdict() -> None:
    """All of it on standard error."""
    report = parse_output(recording("unknown_options_10.3.0.txt"))
    assert report.passed is False
    assert report.errors == (
        "Unknown option: --workspace 2048",
        "Unknown option: --buildOnly",
        "Unknown option: --explicitBatch",
    )


def test_a_warning_of_two_lines_is_one() -> None:
    """Its second line is set in."""
    (warning,) = parse_output(recording("unstable_clock.txt")).warnings
    assert warning.startswith("* GPU compute time is unstable")
    assert warning.endswith("may improve the stability.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_int8.txt", "require hardware with Int8 support"),
        ("int32_bias_8.x.txt", "only activation types allowed"),
    ],
)
def test_the_reason_of_a_failed_build_is_its_first_error(name: str, words: str) -> None:
    """With a time and a level before it, or bare."""
    assert words in parse_output(recording(name)).errors[0]


def test_the_device_is_known_without_a_run() -> None:
    """10.16 prints more about it than 8.2."""
    report = parse_output(recording("device_10.16.2.txt"))
    assert (report.version, report.device) == ((10, 16, 2), "Orin")
    assert report.compute_capability == (8, 7)


@pytest.mark.parametrize(
    ("code", "version"),
    [
        ("8001", (8, 0, 1)),
        ("8201", (8, 2, 1)),
        ("8601", (8, 6, 1)),
        ("100300", (10, 3, 0)),
        ("101303", (10, 13, 3)),
        ("110201", (11, 2, 1)),
    ],
)
def test_the_number_of_a_banner_is_a_version(code: str, version: tuple[int, ...]) -> None:
    """Four digits up to 9, six from 10 on; 11 adds a build number behind it."""
    assert version_of_code(code) == version
    banner = f"&&&& RUNNING TensorRT.trtexec [TensorRT v{code}] [b3] # trtexec --help"
    assert parse_output(banner.encode()).version == version


def _is_sound(report: Report) -> None:
    """Check what holds of any answer: finite figures, bounded texts, JSON throughout."""
    json.dumps(report._asdict(), allow_nan=False)
    assert len(report.warnings) <= 100
    assert len(report.errors) <= 100


LINES = [line for name in PRINTED for line in recording(name).splitlines(keepends=True)]


@given(st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_an_answer(raw: bytes) -> None:
    """Without any figure, as a rule, and never an exception."""
    _is_sound(parse_output(raw))
    assert isinstance(parse_times(raw, (8, 2, 1)), Times)


@given(st.lists(st.sampled_from(LINES), max_size=40), st.data())
@settings(max_examples=150, deadline=None)
def test_any_mixture_of_real_lines_with_any_damage_is_an_answer(
    lines: list[bytes], data: st.DataObject
) -> None:
    """Bytes changed, cut out or put in, anywhere."""
    raw = bytearray(b"".join(lines))
    for _ in range(data.draw(st.integers(0, 8))):
        place = data.draw(st.integers(0, len(raw)))
        length = data.draw(st.integers(0, 30))
        raw[place : place + length] = data.draw(
            st.one_of(
                st.binary(max_size=20), st.sampled_from([b"inf", b"nan", b"-1", b"1e999", b"\n"])
            )
        )
    _is_sound(parse_output(bytes(raw)))


@pytest.mark.parametrize("nonsense", [b"inf", b"nan", b"-1.0", b"1e999", b"12.x", b""])
def test_a_figure_that_is_none_is_missing(nonsense: bytes) -> None:
    """No quantile of nothing is infinite: trtexec prints that when it measured no query."""
    raw = recording(WHOLE).replace(b"Throughput: 11.0613", b"Throughput: " + nonsense)
    report = parse_output(raw.replace(b"median = 90.3035", b"median = " + nonsense))
    assert report.throughput_qps is None
    assert report.missing == ("throughput",)
    assert report.summaries["latency"].median_ms is None


def test_endless_output_is_read_to_a_limit() -> None:
    """A line of a megabyte, and a warning for every millisecond."""
    report = parse_output(b"[W] " + b"x" * (1 << 20) + b"\n[W] again" * 5000)
    assert len(report.warnings) == 100
    assert len(report.warnings[0]) < 5000


def test_up_to_8_4_the_rows_of_the_warm_up_are_taken_out() -> None:
    """8.5 on does not write them: the same rows are all queries there."""
    raw = times_json().encode()
    old, new = parse_times(raw, (8, 4, 3)), parse_times(raw, (8, 5, 0))
    assert (len(old.milliseconds), old.warm_up_rows) == (QUERIES, WARM_UP_QUERIES)
    assert (len(new.milliseconds), new.warm_up_rows) == (QUERIES + WARM_UP_QUERIES, 0)
    assert np.median(old.milliseconds[:, -1]) == pytest.approx(MEDIAN_MS)
    assert old.milliseconds[0].tolist() == pytest.approx([6, 0.276855, 89.848345, 0.0083, 90.1335])
    assert (old.missing, new.missing) == (None, None)


def test_the_form_of_8_2_is_read() -> None:
    """One row, with an end-to-end time that later versions do not have."""
    times = parse_times(recording("times_8.2.json"), (8, 2, 1), warm_up_ms=1.0)
    assert times.milliseconds.tolist() == [pytest.approx([0.1, 0.05, 0.2, 0.02, 0.27])]
    late = parse_times(recording("times_8.2.json"), (8, 2, 1), warm_up_ms=200)
    assert (len(late.milliseconds), late.warm_up_rows) == (0, 1)
    assert late.missing == "the file of times holds no query after the warm-up"


def test_times_of_an_unknown_version_are_not_vouched_for() -> None:
    """The warm-up may be among them."""
    times = parse_times(times_json().encode(), None)
    assert times.missing is not None
    assert "the warm-up may be among the times" in times.missing


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (times_json().encode()[:-9], "not JSON"),
        (b'{"a": 1}', "no list"),
        (b"[]", "no query"),
        (b"[1, null, {}]", "3 of 3 rows"),
        (b"[" * 100_000, "nested"),
        (b'[{"h2dMs": NaN}]', "NaN"),
    ],
)
def test_a_damaged_file_of_times_says_so(content: bytes, words: str) -> None:
    """A run that was killed leaves half a file."""
    missing = parse_times(content, (10, 3, 0)).missing
    assert missing is not None
    assert words in missing


ROW: dict[str, Any] = json.loads(times_json())[0]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(ROW)), VALUES) | VALUES, max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_rows_give_times_that_are_times(rows: list[Any]) -> None:
    """Finite, not negative, and every row that is none is counted."""
    raw = json.dumps([ROW, *rows]).encode()
    times = parse_times(raw, (10, 3, 0))
    assert np.isfinite(times.milliseconds).all()
    assert (times.milliseconds >= 0).all()
    if len(times.milliseconds) < len(rows) + 1:
        assert times.missing is not None
