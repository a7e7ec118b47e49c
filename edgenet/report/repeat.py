"""How a measurement is made again: the command with every option that decided a figure."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

from edgenet.report.document import Document
from edgenet.report.format import plain

OPTIONS = {
    "runtimes": "--runtime",
    "threads": "--threads",
    "device": "--device",
    "allow_cpu_fallback": "--allow-cpu-fallback",
    "batches": "--batch",
    "duration_s": "--duration",
    "warmup_s": "--warmup",
    "processes": "--processes",
    "data": "--data",
    "split_seed": "--split-seed",
    "interpreter": "--interpreter",
    "project": "--project",
}
"""The option of each argument that has one; where results go is not part of a measurement."""


def command(document: Document) -> str:
    """Return the command that measures the same again, with every value spelled out."""
    arguments = document.arguments
    words = ["edgenet", "bench", *map(str, _values(arguments.get("sources")))]
    for name, option in OPTIONS.items():
        value = arguments.get(name)
        if value is True:
            words.append(option)
        elif name == "batches":
            words += [option, ",".join(map(str, _values(value)))] if value else []
        elif value is not None and value is not False:
            for one in _values(value):
                words += [option, str(one)]
    return plain(shlex.join(words))


def started_as(document: Document) -> str | None:
    """Return the command line as it was typed, or None where the results have none."""
    typed = document.environment.get("command")
    if not isinstance(typed, list) or not typed:
        return None
    program, *words = map(str, typed)
    path = PurePath(program)
    own = {"__main__.py": "python -m edgenet", "edgenet": "edgenet"}
    known = path.name != "__main__.py" or path.parent.name == "edgenet"
    started = own.get(path.name) if known else None
    return plain(" ".join([started or shlex.quote(program), shlex.join(words)]).strip())


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
