"""Small valid bundles for tests: a linear classifier of tiny pictures, easily computed by hand."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgenet.errors import NotPossible
from edgenet.runner.bundle import GOLDEN_NAME, MANIFEST_NAME
from edgenet.runner.manifest import FileInfo, Manifest, TensorInfo, seal_of
from edgenet.runner.preprocess import Preprocessing

NO_PT2 = "this PyTorch keeps the weights in .pt2 files as pickles"
"""Why tests of that format are skipped on PyTorch 2.5 to 2.8."""

MEAN, STD = 0.25, 0.5
LABELS = ("circle", "cross", "square")
SHAPE = (1, 6, 5)  # C, H, W: none alike, so that a transposed axis shows
_OPSET, _IR = 13, 7  # the newest that onnxruntime 1.10 of Python 3.6 takes


def write_onnx_bundle(
    folder: Path, *, batch: int | None = None, name: str = "tiny", seed: int = 0
) -> Path:
    """Write a bundle whose ``model.onnx`` onnxruntime runs from 1.10 on; return its folder.

    Args:
        folder: Made by this, with its parents.
        batch: The only batch size, or None for any.
        name: The manifest's name.
        seed: Of the weights and the golden inputs.
    """
    weight, bias = _weights(seed)
    sizes: list[int | str] = ["N" if batch is None else batch]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["pixels", "scale"], ["unit"]),
            helper.make_node("Sub", ["unit", "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "std"], ["normal"]),
            helper.make_node("Flatten", ["normal"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
        ],
        name,
        [helper.make_tensor_value_info("input", TensorProto.UINT8, [*sizes, *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*sizes, len(LABELS)])],
        [
            numpy_helper.from_array(np.float32(1 / 255), "scale"),
            numpy_helper.from_array(np.float32(MEAN), "mean"),
            numpy_helper.from_array(np.float32(STD), "std"),
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR
    )
    return _write(
        folder,
        model.SerializeToString(),
        format="onnx",
        model="model.onnx",
        batch=batch,
        name=name,
        seed=seed,
    )


def write_torchscript_bundle(folder: Path, *, name: str = "tiny", seed: int = 0) -> Path:
    """Write the same classifier as a TorchScript bundle; imports torch."""
    import torch

    classifier = _classifier(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=DeprecationWarning)
        content = torch.jit.trace(classifier, classifier.example(2)).save_to_buffer()
    return _write(
        folder,
        content,
        format="torchscript",
        model="model.pt",
        batch=None,
        name=name,
        seed=seed,
    )


def write_pt2_bundle(folder: Path, *, name: str = "tiny", seed: int = 0) -> Path:
    """Write the same classifier as a ``.pt2`` bundle; imports torch."""
    from edgenet.export import pt2

    if pt2_is_impossible():
        pytest.skip(NO_PT2)
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.parent / f"{folder.name}.pt2"
    pt2.write(_classifier(seed), file, batch=None, opset=None, metadata={})
    content = file.read_bytes()
    file.unlink()
    return _write(
        folder, content, format="pt2", model="model.pt2", batch=None, name=name, seed=seed
    )


def pt2_is_impossible() -> bool:
    """Tell whether this PyTorch keeps weights in ``.pt2`` files as pickles; imports torch."""
    import torch

    from edgenet.runner.pt2_file import check_version

    try:
        check_version(torch.__version__)
    except NotPossible:
        return True
    return False


def _classifier(seed: int) -> Any:
    """Return the classifier as a module that can be exported."""
    import torch

    weight, bias = (torch.from_numpy(values) for values in _weights(seed))

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(weight)
            self.bias = torch.nn.Parameter(bias)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            normal = (pixels.to(torch.float32) * (1 / 255) - MEAN) / STD
            return normal.flatten(1) @ self.weight + self.bias

        def example(self, batch: int) -> torch.Tensor:
            return torch.zeros(batch, *SHAPE, dtype=torch.uint8)

    return Classifier().eval()


def logits_of(images: NDArray[np.uint8], seed: int = 0) -> NDArray[np.float32]:
    """Compute the classifier's logits float32 [N, 3] with NumPy."""
    weight, bias = _weights(seed)
    normal = (images.astype(np.float32) * np.float32(1 / 255) - np.float32(MEAN)) / np.float32(STD)
    logits: NDArray[np.float32] = normal.reshape(len(images), -1) @ weight + bias
    return logits


def pictures(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return ``n`` random pictures uint8 [n, C, H, W] that the bundles take."""
    return np.random.default_rng(seed).integers(0, 256, (n, *SHAPE), dtype=np.uint8)


def write_evaluation_set(folder: Path, n: int = 100, *, seed: int = 0) -> Path:
    """Write an evaluation set on which the classifier of seed 0 is right but for the first 10."""
    images = pictures(n, seed)
    labels = logits_of(images).argmax(axis=1).astype(np.int64)
    labels[:10] = (labels[:10] + 1) % len(LABELS)
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    meta = {"digest": digest, "class_names": list(LABELS)}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def edit_manifest(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a bundle's manifest in place, without any check but a seal that fits."""
    path = bundle / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    change(manifest)
    manifest["seal"] = seal_of(manifest)
    path.write_text(json.dumps(manifest))


def replace_file(bundle: Path, name: str, content: bytes) -> None:
    """Give a bundle's file other content, with the right hash and length in the manifest."""
    (bundle / name).write_bytes(content)
    info = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    edit_manifest(bundle, lambda manifest: manifest["files"].update({name: info}))


def edit_onnx(bundle: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    """Change a bundle's ONNX model in place; the manifest is made to agree."""
    model = onnx.load(bundle / "model.onnx", load_external_data=False)
    change(model)
    replace_file(bundle, "model.onnx", model.SerializeToString())


def _weights(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng([seed, 1])
    weight = generator.standard_normal((int(np.prod(SHAPE)), len(LABELS)), np.float32)
    return weight, generator.standard_normal(len(LABELS), np.float32)


def _write(
    folder: Path,
    content: bytes,
    *,
    format: str,
    model: str,
    batch: int | None,
    name: str,
    seed: int,
) -> Path:
    folder.mkdir(parents=True)
    (folder / model).write_bytes(content)
    inputs = pictures(batch or 8, seed)
    logits = logits_of(inputs, seed)
    np.savez(folder / GOLDEN_NAME, inputs=inputs, logits=logits, parent_logits=logits)
    free: int | str = "N" if batch is None else batch
    manifest = Manifest(
        name=name,
        format=format,
        precision="fp32",
        target=None,
        model=model,
        input=TensorInfo("input", "uint8", (free, *SHAPE)),
        output=TensorInfo("logits", "float32", (free, len(LABELS))),
        labels=LABELS,
        preprocessing=Preprocessing("L", SHAPE[1], SHAPE[2], "stretch", (MEAN,), (STD,)),
        probability="softmax",
        longest_reduction=int(np.prod(SHAPE)),
        parent=None,
        accuracy={"validation": None, "test": None},
        options={"batch": batch, "opset": _OPSET},
        tools={"edgenet": "0.1.0"},
        files={file: _info(folder / file) for file in (model, GOLDEN_NAME)},
    )
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest.to_json(), indent=2))
    return folder


def _info(path: Path) -> FileInfo:
    content = path.read_bytes()
    return FileInfo(hashlib.sha256(content).hexdigest(), len(content))
