"""``compare``: B against A, from two results of ``bench`` or measured now in turns."""

from __future__ import annotations

import json

from edgenet.errors import UsageError
from edgenet.files import write_text
from edgenet.launch.local import run_job
from edgenet.progress import ProgressCallback, ignore
from edgenet.workflows._resolve import Kind, resolve
from edgenet.workflows.compare_arguments import CompareArguments
from edgenet.workflows.compare_files import compare_stored
from edgenet.workflows.compare_now import compare_now, make_empty
from edgenet.workflows.compare_result import CompareResult
from edgenet.workflows.compare_stored import Stored, stored
from edgenet.workflows.compare_turns import Launch

__all__ = ["CompareArguments", "CompareResult", "compare"]

_RESULT_NAME = "result.json"


def compare(
    arguments: CompareArguments, *, launch: Launch = run_job, progress: ProgressCallback = ignore
) -> CompareResult:
    """Compare two bundles, measured now in turns, or two results of ``bench``.

    Each round of a measurement is one fresh process of both, next to each other, in turning order.
    What is decided on is the median of the rounds' ratios, see `edgenet.bench.compare`.

    Args:
        arguments: What to compare, and how.
        launch: What runs a job; tests put their own here.
        progress: Told of every process.

    Raises:
        UsageError: The two are of different kinds, have nothing in common, or times of different
            machines were to be judged.
        NotPossible: A bundle cannot be run here.
        CorruptFile: A bundle or a result is damaged.
        EdgenetError: A process failed: there is nothing to compare.
    """
    found = stored(arguments.a), stored(arguments.b)
    if found[0] is not None and found[1] is not None:
        result = _compare_stored(arguments, found[0], found[1])
        if arguments.output is not None:
            make_empty(arguments.output)
    else:
        for path, one in ((arguments.a, found[0]), (arguments.b, found[1])):
            if one is not None:
                message = f"{path} is a result, and the other is none"
                raise UsageError(message, "compare two results, or two bundles")
        if arguments.across_machines:
            message = "--across-machines is about two results; two bundles are measured here"
            raise UsageError(message, "leave it out")
        accept = (Kind.RUN, Kind.BUNDLE)
        a, b = (resolve(source, accept=accept) for source in (arguments.a, arguments.b))
        comparison = compare_now(arguments, a, b, launch=launch, progress=progress)
        result = CompareResult(arguments=arguments, comparisons=(comparison,))
    if arguments.output is not None:
        write_text(arguments.output / _RESULT_NAME, json.dumps(result.to_json(), indent=1) + "\n")
    return result


def _compare_stored(arguments: CompareArguments, a: Stored, b: Stored) -> CompareResult:
    if arguments.of_measuring:
        options = ", ".join(arguments.of_measuring)
        message = f"two results are compared as they are, without {options}"
        raise UsageError(message, "leave it out, or name two bundles")
    found = compare_stored(a, b, across_machines=arguments.across_machines)
    if not found.comparisons:
        message = "the two results have no row that was made alike"
        raise UsageError(message, "; ".join(found.unmatched) or "both are empty")
    if found.times_reason and arguments.fail_above is not None and not found.untimed:
        raise UsageError(f"no times can be judged: {found.times_reason}", found.hint)
    return CompareResult(
        arguments=arguments,
        comparisons=found.comparisons,
        unmatched=found.unmatched,
        untimed=found.untimed,
        notes=found.notes,
        times_reason=found.times_reason and f"{found.times_reason}; {found.hint}",
    )
