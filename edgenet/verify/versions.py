"""Whether an ONNX file is in the opset and IR version that its manifest records.

Exporters are known to write another opset than they were asked for, and to say so nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenet.verify.checks import Check
from edgenet.verify.quantized import load_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "versions"


def check_versions(path: Path, options: Mapping[str, Any]) -> Check:
    """Compare the versions in an ONNX file with those in its manifest's options.

    Args:
        path: The file.
        options: With ``opset`` and ``ir_version``, where they were recorded.
    """
    model = load_graph(path)
    opset = next((each.version for each in model.opset_import if each.domain == ""), 0)
    for word, key, found in (
        ("opset", "opset", opset),
        ("IR version", "ir_version", model.ir_version),
    ):
        recorded = options.get(key)
        if recorded not in (None, found):
            detail = f"the file is in {word} {found}, the manifest says {recorded}"
            return Check(name=NAME, status="failed", detail=detail)
    detail = f"opset {opset}, IR version {model.ir_version}"
    return Check(name=NAME, status="ok", detail=detail)
