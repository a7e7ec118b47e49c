"""Recordings of trtexec, and a program that replays them in its place."""

from __future__ import annotations

import json
import sys
from pathlib import Path

RECORDINGS = Path(__file__).parent / "recordings" / "trtexec"

QUERIES, WARM_UP_QUERIES = 35, 2  # as the whole recording says
MEDIAN_MS = 90.3035
_PARTS = {"h2dMs": 0.276855, "computeMs": 90.018345, "d2hMs": 0.0083}  # of which it is the sum

_PROGRAM = """#!{python} -SE
import json, os, sys, time
mode = os.environ.get("FAKE_TRTEXEC", "")
flags = dict(word.partition("=")[::2] for word in sys.argv[1:])
print("&&&& RUNNING TensorRT.trtexec [TensorRT v8201] # trtexec", *sys.argv[1:], flush=True)
if "--help" in flags:
    sys.exit(0)
measuring = "--loadEngine" in flags
if mode == "hang" and measuring:
    time.sleep(600)
if mode == "crash" and measuring:
    os.kill(os.getpid(), 11)
if mode == "garbage" and measuring:
    os.write(1, bytes(range(256)) * 50)
    sys.exit(0)
if mode == "refused" and not measuring:
    sys.stderr.write(open({refused!r}).read())
    sys.exit(1)
if not measuring:
    if mode != "no-engine":
        open(flags["--saveEngine"], "wb").write(b"engine")
    sys.exit(0)
if mode != "no-times":
    content = open({times!r}).read()
    open(flags["--exportTimes"], "w").write(content[:-9] if mode == "cut" else content)
sys.stdout.write(open({run!r}).read())
"""


def recording(name: str) -> bytes:
    """Return a recording's content."""
    return (RECORDINGS / name).read_bytes()


def write_fake(folder: Path) -> Path:
    """Write a trtexec 8.2.1 that replays a whole run on a Jetson Nano; return its path.

    It measures the same whatever it is asked. The variable ``FAKE_TRTEXEC`` lets it fail: ``hang``,
    ``crash``, ``garbage``, ``no-times`` and ``cut`` when it measures, ``refused`` and
    ``no-engine`` when it builds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "times.json").write_text(times_json())
    program = folder / "trtexec"
    content = _PROGRAM.format(
        python=sys.executable,
        refused=str(RECORDINGS / "int32_bias_8.x.txt"),
        times=str(folder / "times.json"),
        run=str(RECORDINGS / "nano_8.2.1_fp32.txt"),
    )
    program.write_text(content)
    program.chmod(0o755)
    return program


def times_json(warm_up_ms: float = 200) -> str:
    """Return a file of times with the recorded median, its warm-up among them."""
    rows = []
    for number in range(WARM_UP_QUERIES + QUERIES):
        started = number * 91 if number < WARM_UP_QUERIES else warm_up_ms + number * 91
        off = number - WARM_UP_QUERIES - QUERIES // 2  # 0 for the one in the middle
        parts = {**_PARTS, "computeMs": _PARTS["computeMs"] + 0.01 * off}
        rows.append(
            {
                "startEnqMs": started,
                "endEnqMs": started + 6,
                "startComputeMs": started + 0.3,
                **parts,
                "latencyMs": sum(parts.values()),
            }
        )
    return json.dumps(rows)
