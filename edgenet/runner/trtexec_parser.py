"""What ``trtexec`` prints, of TensorRT 8.0 to 11, read without trusting any of it.

Nothing here raises over content: what is not there, or is nonsense, is None and named in
``missing``. Times are milliseconds, as they are printed.

Source:
    ``samples/common/sampleReporting.cpp`` and ``logger`` of github.com/NVIDIA/TensorRT at the tags
    of `edgenet.runner.trtexec`, and the recordings in ``tests/recordings/trtexec``.
"""

import math
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

METRICS = {
    "Latency": "latency",
    "End-to-End Host Latency": "end-to-end",  # up to 8.2
    "Enqueue Time": "enqueue",
    "H2D Latency": "h2d",
    "GPU Compute Time": "compute",
    "D2H Latency": "d2h",
}
"""The summary's names, and ours."""

_MOST_LINES = 200000
_LONGEST_LINE = 4000
_MOST_MESSAGES = 100
_LONGEST_MS = 1e9  # eleven days

_STAMP = re.compile(r"\[[0-9/:-]{8,30}\] ")
_LEVEL = re.compile(r"\[([VIWEF])\] ?")
_BANNER = re.compile(r"&&&& (RUNNING|PASSED|FAILED|WAIVED) (\S+)(?: \[TensorRT v([0-9]{4,7})\])?")
_VERSION = re.compile(r"TensorRT version: ([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,4})")
_FIGURE = re.compile(r"(min|max|mean|median|percentile\(([0-9.]{1,8})%\)) = ([^ ,]{1,32}) ms")
_ERROR_CODE = re.compile(r"\bError Code [0-9]+: |\bError\[[0-9]+\]: ")
_WARM_UP = re.compile(r"Warmup completed ([0-9]{1,9}) queries")
_TRACE = re.compile(r"Timing trace has ([0-9]{1,9}) queries over ([^ ]{1,32}) s\Z")
_BUILT = re.compile(r"Engine (?:built|generation completed) in ([^ ]{1,32}) (?:sec|seconds)\.")
_DEVICE = re.compile(r"Selected Device: (.{1,100})")
_CAPABILITY = re.compile(r"Compute Capability: ([0-9]{1,2})\.([0-9])\b")


class Summary(NamedTuple):
    """One line of the performance summary, in milliseconds.

    Attributes:
        min_ms: The shortest.
        max_ms: The longest.
        mean_ms: The mean.
        median_ms: The median.
        percentiles_ms: By name, such as ``"99"``: which there are depends on version and command.
    """

    min_ms: Optional[float]
    max_ms: Optional[float]
    mean_ms: Optional[float]
    median_ms: Optional[float]
    percentiles_ms: Dict[str, float]


class Report(NamedTuple):
    """What one run of trtexec said; None is what it did not say.

    Attributes:
        version: Of TensorRT, such as ``(8, 2, 1)``.
        passed: Its own verdict.
        throughput_qps: Queries a second (not pictures).
        summaries: By our names of `METRICS`.
        queries: How many were measured.
        warm_up_queries: How many were not.
        wall_s: From the first measured query to the end of the last.
        gpu_s: What the GPU computed of that.
        build_s: What building took.
        device: The GPU.
        compute_capability: Of it.
        warnings: Its warnings, at most 100, those of two lines joined.
        errors: Its errors, at most 100.
        missing: What a run that measured says, and this did not.
    """

    version: Optional[Tuple[int, int, int]]
    passed: Optional[bool]
    throughput_qps: Optional[float]
    summaries: Dict[str, Summary]
    queries: Optional[int]
    warm_up_queries: Optional[int]
    wall_s: Optional[float]
    gpu_s: Optional[float]
    build_s: Optional[float]
    device: Optional[str]
    compute_capability: Optional[Tuple[int, int]]
    warnings: Tuple[str, ...]
    errors: Tuple[str, ...]
    missing: Tuple[str, ...]


def parse_output(raw: bytes) -> Report:
    """Read what trtexec printed, standard output and standard error, in any order.

    Args:
        raw: Whatever came; more than 200,000 lines are not looked at.
    """
    lines = raw.decode("utf-8", "replace").splitlines()[:_MOST_LINES]
    reader = _Reader()
    for line in lines:
        reader.take(line[:_LONGEST_LINE])
    return reader.report()


class _Reader:
    """Takes the lines of one run."""

    def __init__(self) -> None:
        self._facts: Dict[str, Any] = {}
        self._summaries: Dict[str, Summary] = {}
        self._messages: Dict[str, List[str]] = {"W": [], "E": []}
        self._last_level = ""

    def take(self, line: str) -> None:
        """Take one line, without its end."""
        level, text = _level_and_text(line)
        kind = "E" if level in ("E", "F") or (not level and _ERROR_CODE.search(text)) else level
        if kind in self._messages and text.strip():
            self._message(kind, text)
            return
        self._last_level = ""
        if text.startswith("&&&& "):
            self._banner(text)
        else:
            self._fact(text)

    def report(self) -> Report:
        """Return all that was found."""
        facts = self._facts
        missing = [name for name in ("version", "verdict", "throughput") if name not in facts]
        missing += [
            name
            for name in ("latency", "enqueue", "h2d", "compute", "d2h")
            if name not in self._summaries
        ]
        return Report(
            version=facts.get("version"),
            passed=facts.get("verdict"),
            throughput_qps=facts.get("throughput"),
            summaries=self._summaries,
            queries=facts.get("queries"),
            warm_up_queries=facts.get("warm-up queries"),
            wall_s=facts.get("wall"),
            gpu_s=facts.get("gpu"),
            build_s=facts.get("build"),
            device=facts.get("device"),
            compute_capability=facts.get("capability"),
            warnings=tuple(self._messages["W"]),
            errors=tuple(self._messages["E"]),
            missing=tuple(missing),
        )

    def _message(self, kind: str, text: str) -> None:
        """Keep a warning or an error; a line that is set in goes on with the one before."""
        kept = self._messages[kind]
        if text.startswith("  ") and self._last_level == kind and kept:
            kept[-1] = "{} {}".format(kept[-1], text.strip())
        elif len(kept) < _MOST_MESSAGES:
            kept.append(text.strip())
        self._last_level = kind

    def _banner(self, text: str) -> None:
        found = _BANNER.match(text)
        if not found:
            return
        state, _, code = found.groups()
        if code is not None and "version" not in self._facts:
            self._facts["version"] = version_of_code(code)
        if state in ("PASSED", "FAILED"):
            self._facts["verdict"] = state == "PASSED"

    def _fact(self, text: str) -> None:
        name, separator, rest = text.partition(": ")
        if separator and name in METRICS:
            summary = _summary(rest)
            if summary is not None:
                self._summaries[METRICS[name]] = summary
            return
        for key, value in _facts_of(text):
            if value is not None:
                self._facts[key] = value


def version_of_code(code: str) -> Tuple[int, int, int]:
    """Return the version that a banner's number stands for: 8201 is 8.2.1, 100300 is 10.3.0."""
    number = int(code)
    unit = 1000 if number < 10000 else 10000
    return number // unit, number % unit // 100, number % 100


def _facts_of(text: str) -> List[Tuple[str, Any]]:
    """Return the names and values of the facts in a line that is no summary."""
    facts: List[Tuple[str, Any]] = []
    words = text.split(" ")
    if text.startswith("Throughput: ") and words[-1] == "qps":
        facts.append(("throughput", _figure(words[1])))
    elif text.startswith("Total Host Walltime: "):
        facts.append(("wall", _figure(words[3])))
    elif text.startswith("Total GPU Compute Time: "):
        facts.append(("gpu", _figure(words[4])))
    for key, pattern in (("warm-up queries", _WARM_UP), ("queries", _TRACE)):
        found = pattern.match(text)
        if found:
            facts.append((key, int(found.group(1))))
    found = _BUILT.match(text)
    if found:
        facts.append(("build", _figure(found.group(1))))
    found = _VERSION.match(text)
    if found:
        facts.append(("version", tuple(int(part) for part in found.groups())))
    found = _DEVICE.match(text)
    if found:
        facts.append(("device", found.group(1).strip()))
    found = _CAPABILITY.match(text)
    if found:
        facts.append(("capability", (int(found.group(1)), int(found.group(2)))))
    return facts


def _level_and_text(line: str) -> Tuple[str, str]:
    """Split a line into its level, empty where it has none, and what it says."""
    text = line
    stamp = _STAMP.match(text)
    if stamp:
        text = text[stamp.end() :]
    level = _LEVEL.match(text)
    if not level:
        return "", text
    text = text[level.end() :]
    return level.group(1), text[len("[TRT] ") :] if text.startswith("[TRT] ") else text


def _summary(text: str) -> Optional[Summary]:
    """Read ``min = 1 ms, max = …``; None where no figure is one."""
    figures: Dict[str, float] = {}
    percentiles: Dict[str, float] = {}
    for name, share, number in _FIGURE.findall(text):
        value = _figure(number)
        if value is None:
            continue
        if share:
            percentiles[share] = value
        else:
            figures[name] = value
    if not figures and not percentiles:
        return None
    least, most, mean, median = (figures.get(name) for name in ("min", "max", "mean", "median"))
    return Summary(least, most, mean, median, percentiles)


def _figure(text: str) -> Optional[float]:
    """Return a finite number that is not negative, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= _LONGEST_MS else None
