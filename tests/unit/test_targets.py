"""The table of targets: whole, consistent, and with the refusals that boards call for."""

from __future__ import annotations

import json

import pytest

from edgenet.errors import NotPossible, UsageError
from edgenet.runner.jetson import COMPUTE_CAPABILITIES
from edgenet.targets import (
    TABLE,
    Target,
    check_possible,
    ir_version_of,
    load_target,
    possible,
)

ROWS = list(TABLE.values())
JETSONS = [row for row in ROWS if row.soc is not None]
NAMES = (
    *("cpu", "x86-64-avx2", "x86-64-vnni", "cuda"),
    *("jetson-nano", "jetson-tx2", "jetson-xavier", "jetson-orin-nano", "jetson-orin"),
    *("jetson-thor", "raspberry-pi-4", "raspberry-pi-5", "arm64"),
)
PRECISIONS = {"fp32", "fp16", "int8"}


def name_of(row: Target) -> str:
    """Return what pytest calls the test of a row."""
    return row.name


def test_the_table_has_every_target_under_its_own_name_once() -> None:
    """Titles are what people tell them apart by, so these differ, too."""
    assert tuple(TABLE) == NAMES
    assert all(name == row.name for name, row in TABLE.items())
    assert len({row.title for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_every_fact_has_a_source(row: Target) -> None:
    """For the row, and for each of its runtimes."""
    assert row.sources
    assert all(text.strip() for text in (*row.sources, *row.notes))
    assert all(runtime.source for runtime in row.runtimes)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_row_agrees_with_itself(row: Target) -> None:
    """The strictest runtime decides, and precisions are from the list of three."""
    assert row.runtime("onnxruntime") is not None
    assert len({runtime.name for runtime in row.runtimes}) == len(row.runtimes)
    assert row.opset == min(runtime.opset for runtime in row.runtimes)
    assert row.ir_version == min(runtime.ir_version for runtime in row.runtimes)
    assert row.uint8_input == all(runtime.uint8_input for runtime in row.runtimes)
    for runtime in row.runtimes:
        assert set(runtime.precisions) <= PRECISIONS
        assert "fp32" in runtime.precisions
        assert runtime.ir_version == ir_version_of(runtime.opset)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_row_is_plain_json(row: Target) -> None:
    """Under the name that it is loaded by."""
    told = json.loads(json.dumps(row.to_json(), allow_nan=False))
    assert load_target(told["name"]) is row
    assert told["opset"] == row.opset


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_gpu_is_what_tensorrt_runs_on(row: Target) -> None:
    """A row with TensorRT has a GPU; a Jetson's shares the memory, and CUDA's part is counted."""
    assert (row.runtime("tensorrt") is not None) == (row in JETSONS or row.name == "cuda")
    assert row.memory_shared == (row in JETSONS)
    assert (row.gpu_floor_bytes > 0) == (row in JETSONS)
    if row.memory_bytes is not None:
        assert row.gpu_floor_bytes < row.memory_bytes


@pytest.mark.parametrize("row", JETSONS, ids=name_of)
def test_a_jetsons_row_agrees_with_what_is_read_on_the_board(row: Target) -> None:
    """The two tables are written apart, since a board's Python 3.6 cannot load the targets."""
    assert row.soc is not None
    assert row.compute_capability == COMPUTE_CAPABILITIES[row.soc]
    assert row.machine == "aarch64"
    assert row.python is not None
    assert row.glibc is not None


def test_every_processor_of_a_jetson_has_a_row() -> None:
    """Of tegra210 to tegra264."""
    assert {row.soc for row in JETSONS} == set(COMPUTE_CAPABILITIES)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("jetson-nano", (13, 7, False, "3.6", (2, 27))),
        ("jetson-tx2", (13, 7, False, "3.6", (2, 27))),
        ("jetson-xavier", (17, 8, True, "3.8", (2, 31))),
        ("jetson-orin", (17, 8, True, "3.10", (2, 35))),
        ("jetson-thor", (21, 10, True, "3.12", (2, 39))),
    ],
)
def test_a_boards_oldest_software_decides(name: str, facts: tuple[object, ...]) -> None:
    """TensorRT 8.2 documents opset 13 and has no uint8; uint8 input starts at 8.5."""
    row = load_target(name)
    assert (row.opset, row.ir_version, row.uint8_input, row.python, row.glibc) == facts


@pytest.mark.parametrize("name", ["jetson-nano", "jetson-tx2"])
def test_tensorrt_int8_is_refused_where_the_gpu_has_none(name: str) -> None:
    """Offered instead: FP16 for its GPU, and INT8 for its CPU, which is possible."""
    row = load_target(name)
    answer = possible(row, "engine", "int8")
    assert not answer.possible
    assert "no INT8" in str(answer.reason)
    assert "--precision fp16" in str(answer.instead)
    assert "--format onnx --precision int8" in str(answer.instead)
    for format, precision in (("onnx", "int8"), ("engine", "fp16"), ("engine", "fp32")):
        assert possible(row, format, precision).possible
    with pytest.raises(NotPossible, match="no INT8") as refused:
        check_possible(row, "engine", "int8")
    assert refused.value.hint == answer.instead


@pytest.mark.parametrize("row", [row for row in JETSONS if row.name not in NAMES[4:6]], ids=name_of)
def test_newer_jetsons_take_int8_engines(row: Target) -> None:
    """From compute capability 7.2 on."""
    assert possible(row, "engine", "int8").possible


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_whatever_is_refused_has_a_reason_and_something_possible_instead(row: Target) -> None:
    """What is advised is itself possible on that target."""
    for format in ("onnx", "engine", "rtx", "torchscript", "pt2"):
        for precision in sorted(PRECISIONS):
            answer = possible(row, format, precision)
            assert answer.possible == (answer.reason is None)
            if answer.instead is None:
                assert answer.possible
                continue
            ways = answer.instead.replace("use ", "").split(", or ")
            for way in ways:
                words = way.split()
                advised = words[words.index("--format") + 1], words[words.index("--precision") + 1]
                assert possible(row, *advised).possible, (format, precision, way)


def test_engines_are_refused_where_there_is_no_gpu() -> None:
    """And those of TensorRT for RTX everywhere but on desktops."""
    assert "no NVIDIA GPU" in str(possible(load_target("raspberry-pi-5"), "engine", "fp32").reason)
    assert [row.name for row in ROWS if possible(row, "rtx", "fp32").possible] == ["cuda"]


def test_weights_are_kept_as_floats_for_tensorrt_8_alone() -> None:
    """It wants FP32 weights with Q before DQ; where it has no INT8, onnxruntime decides."""
    kept = {row.name for row in ROWS if row.int8_weights == "fp32"}
    assert kept == {"jetson-xavier", "jetson-orin-nano", "jetson-orin"}


def test_a_name_is_found_in_any_spelling_and_a_wrong_one_gets_the_nearest() -> None:
    """As every other name of edgenet's."""
    assert load_target("Jetson_Nano") is TABLE["jetson-nano"]
    with pytest.raises(UsageError, match="unknown target 'jetson-nanoo'") as unknown:
        load_target("jetson-nanoo")
    assert unknown.value.hint == "did you mean 'jetson-nano'?"
