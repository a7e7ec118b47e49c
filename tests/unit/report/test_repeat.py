"""The command that repeats a measurement asks for the same one."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from edgenet import workflows
from edgenet.cli.app import main
from edgenet.errors import EdgenetError
from edgenet.report.read import document_of
from edgenet.report.repeat import OPTIONS, command, started_as
from edgenet.workflows import BenchArguments

# Where the results go, and what only Python can ask for.
NOT_IN_THE_COMMAND = {"sources", "name", "exist_ok", "time_limit_s", "memory_limit_bytes", "report"}


def _document(arguments: BenchArguments | None = None, **environment: Any) -> Any:
    told = {} if arguments is None else json.loads(json.dumps(arguments.to_json()))
    content = {"schema": "edgenet.bench/2", "rows": [], "complete": True}
    return document_of({**content, "environment": environment, "arguments": told})


def test_every_argument_is_in_the_command_or_decides_no_figure() -> None:
    """One that is added must be thought of here."""
    assert {each.name for each in fields(BenchArguments)} == set(OPTIONS) | NOT_IN_THE_COMMAND


@pytest.mark.parametrize(
    "arguments",
    [
        BenchArguments(sources=("runs/train/net",)),
        BenchArguments(
            sources=("a folder/net", "b"),
            runtimes=("onnxruntime", "torchscript"),
            threads=2,
            device="cuda:1",
            allow_cpu_fallback=True,
            batches=(4, 2),
            duration_s=0.25,
            warmup_s=1.5,
            processes=5,
            data="it's here",
            split_seed=7,
            interpreter="/usr/bin/python3",
            project=Path("elsewhere"),
        ),
    ],
)
def test_typing_the_command_asks_for_the_same(
    arguments: BenchArguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the command line's own parser."""
    asked: list[BenchArguments] = []

    def bench(given: BenchArguments, **others: Any) -> None:
        asked.append(given)
        raise EdgenetError("far enough")

    monkeypatch.setattr(workflows, "bench", bench, raising=False)
    program, *words = shlex.split(command(_document(arguments)))
    assert program == "edgenet"
    assert main([*words, "--quiet"]) == 1
    assert [replace(one, sources=arguments.sources, report=False) for one in asked] == [arguments]
    assert tuple(map(str, asked[0].sources)) == arguments.sources


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["/opt/edgenet/__main__.py", "bench", "a b"], "python -m edgenet bench 'a b'"),
        (["/usr/bin/edgenet", "quickstart"], "edgenet quickstart"),
        (["/home/me/my script.py"], "'/home/me/my script.py'"),
        (["/home/me/other/__main__.py", "x"], "/home/me/other/__main__.py x"),
        ([], None),
        (None, None),
    ],
)
def test_the_command_as_it_was_typed_is_told(typed: Any, said: str | None) -> None:
    """A program of somebody's own that called the workflow is named as it is."""
    assert started_as(_document(command=typed)) == said
