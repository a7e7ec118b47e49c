"""Whether a target can take an ONNX graph, told rule by rule, without the target's libraries.

What a board would refuse hours later and less clearly, or compute wrongly without a word, is named
here with the place and what to do. The facts are those of :mod:`edgenet.targets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgenet.verify import lint_graph as rules
from edgenet.verify.checks import Check
from edgenet.verify.lint_memory import lint_memory
from edgenet.verify.lint_operators import lint_operators
from edgenet.verify.lint_quantized import lint_quantized
from edgenet.verify.lint_row import WHOLE_FILE, LintRow
from edgenet.verify.lint_shapes import Unreadable, infer
from edgenet.verify.lint_subject import (
    Subject,
    check_names,
    check_valid,
    contradiction,
    expand,
    external_tensors,
    opset_of,
    runtimes_of,
)
from edgenet.verify.lint_types import lint_types
from edgenet.verify.qdq_graph import graphs_of

if TYPE_CHECKING:
    import onnx

    from edgenet.targets import RuntimeSupport, Target

MAX_PLACES = 3
"""How many places of one rule get a row of their own; the last row counts the others."""


@dataclass(frozen=True, kw_only=True)
class LintReport:
    """What a lint says of one file for one target.

    Attributes:
        target: The target's name.
        precision: ``fp32``, ``fp16`` or ``int8``.
        rows: One for each rule that is kept or was not looked at; for one that is broken, one for
            each place.
    """

    target: str
    precision: str
    rows: tuple[LintRow, ...]

    @property
    def passed(self) -> bool:
        """No rule is broken."""
        return not self.failures

    @property
    def failures(self) -> tuple[LintRow, ...]:
        """The rows of broken rules."""
        return tuple(row for row in self.rows if row.status == "failed")

    def checks(self) -> tuple[Check, ...]:
        """Return the rows as those of a verification, named after target and rule."""
        return tuple(row.as_check(self.target) for row in self.rows)

    def summary(self) -> Check:
        """Return one row for all of them: how many rules are kept, or the first that is broken."""
        name = f"rules of {self.target}"
        if not self.passed:
            first = self.failures[0].as_check(self.target)
            more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
            detail = f"{self.failures[0].rule}: {first.detail}{more}"
            return Check(name=name, status="failed", detail=detail)
        kept = sum(row.status == "ok" for row in self.rows)
        left = len(self.rows) - kept
        rest = f", {left} not looked at" if left else ""
        return Check(name=name, status="ok", detail=f"{kept} rules are kept{rest}")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "target": self.target,
            "precision": self.precision,
            "passed": self.passed,
            "rows": [row.to_json() for row in self.rows],
        }


_GRAPH_RULES: dict[str, Callable[[Subject], Iterator[LintRow]]] = {
    "graph precision": rules.lint_content,
    "operators": lint_operators,
    "input": rules.lint_input,
    "types": lint_types,
    "shapes": rules.lint_shapes,
    "sizes": rules.lint_sizes,
    "Q/DQ": lint_quantized,
    "memory": lint_memory,
}
"""Rules that look at every node, in the order of the report."""


def lint(
    model: onnx.ModelProto, target: Target, *, precision: str, format: str = "onnx"
) -> LintReport:
    """Look for whatever keeps a graph from a target.

    Every runtime of the target that has the precision has to take the graph: for ``onnx`` both
    onnxruntime and TensorRT, for ``engine`` and ``rtx`` TensorRT alone.

    Args:
        model: The graph, as the file holds it; not changed.
        target: The machine.
        precision: What the file is said to compute in.
        format: Of the bundle that the file is for.
    """
    rows = tuple(_rows(model, target, precision, format))
    return LintReport(target=target.name, precision=precision, rows=_first_places(rows))


def lint_possible(target: Target, *, precision: str, format: str) -> LintReport:
    """Tell of a file without an ONNX graph only whether its target has the precision."""
    runtimes = runtimes_of(target, format, precision)
    row = rules.lint_precision(target, runtimes, format, precision)
    rest = rules.not_linted(("graph",), f"a file of format {format} has no ONNX graph")
    return LintReport(target=target.name, precision=precision, rows=(row, *rest))


def _rows(model: onnx.ModelProto, target: Target, precision: str, format: str) -> Iterator[LintRow]:
    runtimes = runtimes_of(target, format, precision)
    precise = rules.lint_precision(target, runtimes, format, precision)
    yield precise
    if precise.status == "failed":
        names = ("opset", "IR version", "external data", "ONNX standard", *_GRAPH_RULES)
        yield from rules.not_linted(names, "no runtime of the target is asked to take the file")
        return
    yield rules.lint_opset(opset_of(model), runtimes, target)
    yield rules.lint_ir_version(model.ir_version, runtimes, target)
    external = external_tensors(model)
    yield rules.lint_external(external)
    if external:
        names = ("ONNX standard", *_GRAPH_RULES)
        yield from rules.not_linted(names, "the file is not complete without its external data")
        return
    try:
        subject = _subject(model, target, runtimes, precision)
    except Unreadable as reason:
        yield rules.lint_valid(str(reason))
        yield from rules.not_linted(tuple(_GRAPH_RULES), "the file is not valid ONNX")
        return
    yield rules.lint_valid(contradiction(model))
    for rule in _GRAPH_RULES.values():
        yield from rule(subject)


def _subject(
    model: onnx.ModelProto,
    target: Target,
    runtimes: tuple[RuntimeSupport, ...],
    precision: str,
) -> Subject:
    check_valid(model)
    expanded = expand(model)
    graphs = tuple(graphs_of(expanded))
    check_names(graphs)
    types, batch = infer(expanded)
    return Subject(
        original=model,
        functions=tuple(str(each.name) for each in model.functions),
        graphs=graphs,
        types=types,
        batch=batch,
        target=target,
        runtimes=runtimes,
        precision=precision,
    )


def _first_places(rows: Iterable[LintRow]) -> tuple[LintRow, ...]:
    """Keep the first places of a rule that is broken in many, and count the others."""
    kept: list[LintRow] = []
    broken: dict[str, list[LintRow]] = {}
    for row in rows:
        if row.status != "failed":
            kept.append(row)
            continue
        found = broken.setdefault(row.rule, [])
        found.append(row)
        if len(found) <= MAX_PLACES:
            kept.append(row)
    for rule, found in broken.items():
        if len(found) > MAX_PLACES:
            last = found[MAX_PLACES - 1]
            more = f"{len(found) - MAX_PLACES} more places break the rule {rule}"
            kept.insert(
                kept.index(last) + 1,
                LintRow(
                    rule=rule, status="failed", place=WHOLE_FILE, detail=more, advice=last.advice
                ),
            )
    return tuple(kept)
