"""Bundles of the tiny classifier for TensorRT's stand-in: an engine, and what it was built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto

from tests.bundles import edit_manifest, edit_onnx, replace_file, write_onnx_bundle
from tests.unit.runner.cuda.fake_base import VERSIONS, plan_of

BATCHES = [1, 8, 64]


def write_float_bundle(folder: Path, batch: int | None = None) -> Path:
    """Write the ONNX bundle with float32 input, which every version takes."""

    def take_floats(model: ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT

    write_onnx_bundle(folder, batch=batch)
    edit_onnx(folder, take_floats)
    edit_manifest(folder, lambda manifest: manifest["input"].update(dtype="float32"))
    return folder


def write_engine_bundle(
    folder: Path,
    version: str,
    *,
    batch: int | None = None,
    uint8: bool = False,
    source: bool = True,
    key: dict[str, Any] | None = None,
) -> Path:
    """Write an engine bundle as `edgenet export --format engine` does.

    Args:
        folder: Made by this.
        version: Of the stand-in that built the engine.
        batch: The only batch, or None for any.
        uint8: The input is uint8.
        source: The ONNX file lies beside the engine.
        key: What the manifest's key says otherwise.
    """
    if uint8:
        write_onnx_bundle(folder, batch=batch)
    else:
        write_float_bundle(folder, batch)
    content = (folder / "model.onnx").read_bytes()
    batches = BATCHES if batch is None else [batch] * 3
    told = BATCHES if batch is None else None
    replace_file(folder, "model.engine", plan_of(version, content, batches))
    bound = {
        "library": "tensorrt",
        "version": VERSIONS[version],
        "compute_capability": "8.7",
        "driver": "12.6",
        **(key or {}),
    }

    def become_an_engine(manifest: dict[str, Any]) -> None:
        manifest.update(format="engine", model="model.engine")
        manifest["options"]["engine"] = {"key": bound, "built": True, "batches": told}
        if not source:
            del manifest["files"]["model.onnx"]

    edit_manifest(folder, become_an_engine)
    if not source:
        (folder / "model.onnx").unlink()
    return folder
