"""Opens bundles by every verb, one after the other, in a process whose memory is measured.

``python -m tests.hostile_trial PLAN.json`` prints one line of JSON a verb. The plan names good
bundles, which are opened first, so that all libraries are loaded; the bundles to try with their
verbs; and the folder outside that nobody may touch.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgenet.errors import EdgenetError

_TOUCHED = 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400
"""inotify's events: modified, attributes, opened, moved away or in, created, deleted; but not
closed (a file that was open before), and not read, which needs opening."""


class Canary:
    """Tells whether a file in a folder was opened, made, changed or taken away."""

    def __init__(self, folder: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if library.inotify_add_watch(self._descriptor, os.fsencode(folder), _TOUCHED) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def touched(self) -> bool:
        """Whether something happened since the last question."""
        try:
            return bool(os.read(self._descriptor, 1 << 16))
        except BlockingIOError:
            return False


def _inspect(bundle: Path, runtime: str, scratch: Path) -> None:
    from edgenet.workflows import InspectArguments, inspect

    inspect(InspectArguments(source=str(bundle)))


def _verify(bundle: Path, runtime: str, scratch: Path) -> None:
    from edgenet.workflows import VerifyArguments, verify

    verify(VerifyArguments(bundle=bundle))


def _bench(bundle: Path, runtime: str, scratch: Path) -> None:
    """Run what the process that ``bench`` starts runs."""
    from edgenet.runner.job import Job, Scenario
    from edgenet.runner.measure import run_job

    job = Job(bundle=bundle, runtime=runtime, output=scratch, latency=(Scenario(1, 0, 0.001, 1),))
    run_job(job, lambda event: None)


def _predict(bundle: Path, runtime: str, scratch: Path) -> None:
    from edgenet.workflows import PredictArguments, predict

    predict(PredictArguments(source=bundle, pictures=[scratch / "picture.png"]))


VERBS: dict[str, Callable[[Path, str, Path], None]] = {
    "inspect": _inspect,
    "verify": _verify,
    "bench": _bench,
    "predict": _predict,
}


def _try(verb: str, bundle: str, runtime: str, scratch: Path) -> tuple[int, str]:
    try:
        VERBS[verb](Path(bundle), runtime, scratch)
    except EdgenetError as error:
        return error.exit_code, error.message
    except Exception as error:  # noqa: BLE001 - a test reports what came instead
        return -1, f"{type(error).__name__}: {error}"
    return 0, ""


def main(plan: dict[str, Any]) -> None:
    """Open everything that the plan names; print what came of it."""
    scratch, outside = Path(plan["scratch"]), Path(plan["outside"])
    canary = Canary(outside)
    (outside / "secret").read_bytes()
    print(json.dumps({"canary sings": canary.touched()}))
    for runtime, bundle in plan["good"]:
        for verb in VERBS:
            code, message = _try(verb, bundle, runtime, scratch)
            print(json.dumps({"good": bundle, "verb": verb, "code": code, "message": message}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, runtime, bundle, verbs in plan["hostile"]:
        for verb in verbs:
            code, message = _try(verb, bundle, runtime, scratch)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            line = {"attack": name, "verb": verb, "code": code, "message": message}
            more = {"touched": canary.touched(), "more_bytes": (peak - before) * 1024}
            print(json.dumps({**line, **more}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
