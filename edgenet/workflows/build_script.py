"""The script that builds an engine on its board, and the commands in it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenet.runner.tensorrt.builder import BATCHES, OLD_WORKSPACE_BYTES
from edgenet.runner.tensorrt.bundle import SCRIPT_NAME, SOURCE_NAME
from edgenet.runner.trtexec import Profile, build_command

if TYPE_CHECKING:
    from edgenet.runner.manifest import Manifest
    from edgenet.targets import Target

ENGINE_NAME = "model.engine"
OUTPUT = "built"
"""Folder within the bundle's that the runner writes the engine bundle to."""

_JETSON_PROGRAM = "/usr/src/tensorrt/bin/trtexec"
_POOLS_SINCE = (8, 4)
_MIB = 1 << 20

_SCRIPT = """\
#!/bin/sh
# Builds the TensorRT engine of this bundle on the machine that will run it:
#   {title}, TensorRT {version}.
#
#   sh {name}           trtexec writes {engine} into this folder
#   sh {name} runner    edgenet's runner writes the engine bundle to ./{output}: it knows where it
#                       was built, and `edgenet bench`, `verify` and `predict` take it
#
# The runner needs Python 3.6 or later, NumPy, TensorRT's Python package, and edgenet's own folder
# beside this script or below one that PYTHONPATH names (absolute). On the machine that has edgenet,
# python3 -c "import edgenet; print(*edgenet.__path__)" tells what to copy.
#
# The commands are those of TensorRT {version}; its flags changed between versions.
set -eu
cd "$(dirname "$0")"
case "${{1:-trtexec}}" in
trtexec)
    TRTEXEC=${{TRTEXEC:-{program}}}
    if ! command -v "$TRTEXEC" > /dev/null; then
        echo "trtexec is not here as $TRTEXEC; name its place: TRTEXEC=/.../trtexec sh {name}" >&2
        exit 5
    fi
    {trtexec}
    ;;
runner)
    if ! python3 -c "{present}"; then
        echo "edgenet or NumPy is not here: the first lines of {name} say what to copy" >&2
        exit 5
    fi
    {runner}
    ;;
*)
    echo "usage: sh {name} [trtexec|runner]" >&2
    exit 2
    ;;
esac
"""


_PRESENT = (
    "import sys; from importlib.util import find_spec; "
    "sys.exit(not all(map(find_spec, ('edgenet', 'numpy'))))"
)


@dataclass(frozen=True, kw_only=True)
class BuildScript:
    """How an engine is built on a target.

    Attributes:
        target: The machine; it has TensorRT.
        batches: Smallest, best and largest batch; None where the file takes one size alone.
        commands: Arguments by who builds: ``trtexec`` and ``runner``.
        text: The script.
    """

    target: str
    batches: tuple[int, int, int] | None
    commands: Mapping[str, Sequence[str]]
    text: str


def build_script(manifest: Manifest, target: Target) -> BuildScript:
    """Write the script for an ONNX bundle.

    Args:
        manifest: Of the ONNX bundle.
        target: Has TensorRT.

    Raises:
        ValueError: It has none.
        NotPossible: The flags of its version are not known.
    """
    support = target.runtime("tensorrt")
    if support is None:
        raise ValueError(f"{target.name} has no TensorRT")
    free = manifest.fixed_batch is None
    shape = manifest.picture_shape
    profile = Profile(manifest.input.name, shape, BATCHES) if free else None
    old = support.version < _POOLS_SINCE
    trtexec = build_command(
        support.version,
        SOURCE_NAME,
        ENGINE_NAME,
        precision=manifest.precision,
        profile=profile,
        workspace_mib=OLD_WORKSPACE_BYTES // _MIB if old else None,
        timing_cache="timing.cache",
    )
    runner = ["python3", "-m", "edgenet.runner", "build", ".", "--output", OUTPUT]
    text = _SCRIPT.format(
        name=SCRIPT_NAME,
        engine=ENGINE_NAME,
        output=OUTPUT,
        title=target.title,
        version=support.version_text,
        program=_JETSON_PROGRAM if target.soc else "trtexec",
        trtexec=_lines('"$TRTEXEC"', trtexec[1:]),
        present=_PRESENT,
        runner=shlex.join(runner),
    )
    return BuildScript(
        target=target.name,
        batches=BATCHES if free else None,
        commands={"trtexec": trtexec, "runner": runner},
        text=text,
    )


def _lines(program: str, arguments: Sequence[str]) -> str:
    """Return a command for the shell, one argument a line."""
    return " \\\n        ".join((program, *map(shlex.quote, arguments)))
