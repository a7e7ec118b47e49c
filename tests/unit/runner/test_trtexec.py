"""The command lines of trtexec, against the flags that its source has at each version."""

from __future__ import annotations

from typing import Any

import pytest

from edgenet.errors import NotPossible, UsageError
from edgenet.runner.trtexec import Modes, Profile, build_command, measure_command
from tests.trtexec import RECORDINGS

PROFILE = Profile("input", (1, 28, 28), (1, 8, 64))


def _table() -> dict[tuple[int, ...], set[str]]:
    """Return the flags of each version."""
    lines = [
        line
        for line in (RECORDINGS / "flags.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    versions = [
        tuple(int(part) for part in word.lstrip("v").split(".")) for word in lines[0].split()
    ]
    flags: dict[tuple[int, ...], set[str]] = {version: set() for version in versions}
    for line in lines[1:]:
        name, *marks = line.split()
        for version, mark in zip(versions, marks, strict=True):
            if mark == "Y":
                flags[version].add(name)
    return flags


FLAGS = _table()
# In the source of that version, though only to say that it is gone or does nothing.
USELESS = {"--explicitBatch", "--workspace", "--buildOnly", "--streams"}


def _names(command: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in command[1:]]


def _every_command(version: tuple[int, ...]) -> list[list[str]]:
    commands = [
        build_command(
            version,
            "m.onnx",
            "m.engine",
            precision=precision,
            profile=profile,
            workspace_mib=64,
            timing_cache="t",
            device=1,
            verbose=True,
        )
        for precision in ("fp32", "fp16", "int8")
        for profile in (None, PROFILE)
    ]
    for batch, profile in ((None, None), (8, PROFILE)):
        for on in (False, True):
            modes = Modes(transfers=on, cuda_graph=on, spin_wait=on, overlap=on)
            commands.append(
                measure_command(version, "m", "t", modes=modes, profile=profile, batch=batch)
            )
    return commands


@pytest.mark.parametrize("version", list(FLAGS), ids=str)
def test_every_flag_is_one_that_this_version_has(version: tuple[int, ...]) -> None:
    """An unknown flag ends trtexec before it does anything; a flag is given once."""
    for command in _every_command(version):
        names = _names(command)
        assert set(names) <= FLAGS[version]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("version", [(8, 6, 1), (10, 3, 0), (11, 1)], ids=str)
def test_no_flag_is_given_that_does_nothing_any_more(version: tuple[int, ...]) -> None:
    """8.6 still takes them, with a warning for each."""
    for command in _every_command(version):
        assert not USELESS & set(_names(command))


def _build(version: tuple[int, ...], **options: Any) -> list[str]:
    return build_command(version, "m.onnx", "m.engine", **options)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((8, 0, 1), ["--explicitBatch", "--buildOnly", "--noTF32", "--int8", "--workspace=64"]),
        ((8, 2, 1), ["--buildOnly", "--noTF32", "--int8", "--workspace=64"]),
        ((8, 4, 1), ["--buildOnly", "--noTF32", "--int8", "--memPoolSize=workspace:64"]),
        ((8, 6, 1), ["--skipInference", "--noTF32", "--int8", "--memPoolSize=workspace:64"]),
        (
            (10, 3, 0),
            ["--skipInference", "--noTF32", "--stronglyTyped", "--memPoolSize=workspace:64"],
        ),
        ((11, 1), ["--skipInference", "--noTF32", "--memPoolSize=workspace:64"]),
    ],
)
def test_a_build_is_said_as_each_version_takes_it(
    version: tuple[int, ...], expected: list[str]
) -> None:
    """The precision is the graph's: flags allow it to 8, 10 is told to keep to it, 11 does."""
    command = _build(version, precision="int8", workspace_mib=64)
    assert [word for word in command[3:] if "profiling" not in word] == expected


def test_a_free_batch_is_built_for_a_range_and_measured_at_one_size() -> None:
    """A fixed one is not spoken of: trtexec refuses shapes for it."""
    assert _build((8, 2, 1), profile=PROFILE)[5:8] == [
        "--minShapes=input:1x1x28x28",
        "--optShapes=input:8x1x28x28",
        "--maxShapes=input:64x1x28x28",
    ]
    assert not any("Shapes" in word for word in _build((8, 2, 1)))
    command = measure_command((8, 2, 1), "m.engine", "t.json", profile=PROFILE, batch=8)
    assert command[1:3] == ["--loadEngine=m.engine", "--shapes=input:8x1x28x28"]
    fixed = measure_command((8, 2, 1), "m.engine", "t.json")
    assert not any("shapes" in word for word in fixed)


_SAME = [
    "--device=0",
    "--iterations=10",
    "--duration=3",
    "--warmUp=200",
    "--avgRuns=10",
]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((8, 2, 1), ["--streams=1", "--percentile=99", "--exportTimes=t", "--exposeDMA"]),
        ((8, 5, 2), ["--streams=1", "--percentile=90,99", "--exportTimes=t", "--exposeDMA"]),
        ((10, 13, 3), ["--infStreams=1", "--percentile=90,99", "--exportTimes=t", "--exposeDMA"]),
        (
            (11, 0),
            [
                "--infStreams=1",
                "--percentile=90,99",
                "--exportTimes=t",
                "--includeDataTransfers",
                "--noCudaGraph",
                "--noSpinWait",
                "--exposeDMA",
            ],
        ),
    ],
)
def test_every_version_measures_the_same_thing(
    version: tuple[int, ...], expected: list[str]
) -> None:
    """11 has other defaults: what 8 and 10 do by themselves has to be said there."""
    assert measure_command(version, "m", "t")[2:] == _SAME + expected


@pytest.mark.parametrize("version", [(8, 2, 1), (10, 3, 0), (11, 0)])
def test_what_departs_from_the_older_defaults_is_said_to_every_version(
    version: tuple[int, ...],
) -> None:
    """Nothing is left to a default that another version has differently."""
    modes = Modes(transfers=False, cuda_graph=True, spin_wait=True, overlap=True)
    flags = measure_command(version, "m", "t", modes=modes)[-3:]
    assert flags == ["--noDataTransfers", "--useCudaGraph", "--useSpinWait"]


@pytest.mark.parametrize("version", [(), (7, 2), (9, 3), (12, 0)])
def test_a_version_whose_flags_are_not_known_is_refused(version: tuple[int, ...]) -> None:
    """A guess would fail on the board, less clearly."""
    with pytest.raises(NotPossible, match="not known"):
        _build(version)


def test_what_cannot_be_is_refused() -> None:
    """Before anything is written to a board."""
    with pytest.raises(UsageError, match="no 'bf16' engine"):
        _build((10, 3), precision="bf16")
    with pytest.raises(UsageError, match="must ascend"):
        _build((10, 3), profile=PROFILE._replace(batches=(1, 64, 8)))
    with pytest.raises(NotPossible, match="input named 'a,b'"):
        _build((10, 3), profile=PROFILE._replace(name="a,b"))
    with pytest.raises(UsageError, match="only there"):
        measure_command((10, 3), "m", "t", batch=1)
    with pytest.raises(UsageError, match="only there"):
        measure_command((10, 3), "m", "t", profile=PROFILE)
