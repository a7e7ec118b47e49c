"""The lint of a bundle: its ONNX graph, or the one that its engine was built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenet.errors import UsageError
from edgenet.runner.tensorrt.bundle import FORMATS, is_plan_only, source_of
from edgenet.runner.tensorrt.library import CLASSIC
from edgenet.targets import load_target
from edgenet.verify.lint import LintReport, lint, lint_possible
from edgenet.verify.lint_row import left_out
from edgenet.verify.quantized import load_graph

if TYPE_CHECKING:
    from edgenet.runner.bundle import Bundle
    from edgenet.runner.manifest import Manifest
    from edgenet.targets import Target
    from edgenet.verify.checks import Check


def lint_bundle(bundle: Bundle, target: Target) -> LintReport:
    """Look for whatever keeps a bundle from a target.

    Raises:
        CorruptFile: The model file is not ONNX.
    """
    manifest = bundle.manifest
    format = linted_format(manifest)
    source = source_of(bundle)
    if source.manifest.format != "onnx":
        return lint_possible(target, precision=manifest.precision, format=format)
    graph = load_graph(source.model_path)
    return lint(graph, target, precision=manifest.precision, format=format)


def lint_recorded(bundle: Bundle) -> LintReport | None:
    """Lint a bundle for the target that it was made for; None if it was made for any.

    A target that has no row any more is told in the report, as not looked at.

    Raises:
        CorruptFile: The model file is not ONNX.
    """
    name = bundle.manifest.target
    if name is None:
        return None
    try:
        target = load_target(name)
    except UsageError as error:
        detail = f"the manifest names it, but there is no such row: {error.hint}"
        return LintReport(
            target=name,
            precision=bundle.manifest.precision,
            rows=(left_out("target", detail),),
        )
    return lint_bundle(bundle, target)


def lint_summary(bundle: Bundle) -> tuple[Check, ...]:
    """Return the one row that says whether a bundle keeps the rules of the target it was made for.

    There is none where it was made for any machine.

    Raises:
        CorruptFile: The model file is not ONNX.
    """
    report = lint_recorded(bundle)
    return () if report is None else (report.summary(),)


def linted_format(manifest: Manifest) -> str:
    """Return the format that decides which runtimes have to take a bundle's graph.

    An ONNX file that was written for an engine to be built from is for TensorRT alone.
    """
    return FORMATS[CLASSIC] if is_plan_only(manifest.options) else manifest.format
