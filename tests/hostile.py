"""Bundles as an attacker makes them: each from a good one, with seals and hashes that fit.

Every attack is one line of `ATTACKS`; those that lead out of the bundle point to a folder that a
test watches. The list is long, and one place shows that none is missing, so the file is, too.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.bundles import edit_manifest, edit_onnx, replace_file

ALL = ("inspect", "verify", "bench", "predict")
RUN = ("verify", "bench", "predict")
VERIFY = ("verify",)


class Attack(NamedTuple):
    """What is done to which good bundle, and by which verbs it has to be refused."""

    base: str
    make: Callable[[Path, Path], object]  # (the bundle, the folder outside)
    verbs: tuple[str, ...]


def _move_out(name: str, link: Callable[[Path, Path], object]) -> Callable[[Path, Path], object]:
    """Put a file of the bundle outside, and a link to it in its place."""

    def make(bundle: Path, outside: Path) -> None:
        elsewhere = outside / f"{bundle.name}-{name}"
        shutil.move(bundle / name, elsewhere)
        link(bundle / name, elsewhere)

    return make


def _manifest(**fields: Any) -> Callable[[Path, Path], object]:
    return lambda bundle, outside: edit_manifest(bundle, lambda values: values.update(fields))


def _named_outside(field: str, absolute: bool) -> Callable[[Path, Path], object]:
    """Name a file of the folder outside as the model, or list it."""

    def make(bundle: Path, outside: Path) -> None:
        name = str(outside / "secret") if absolute else f"../{outside.name}/secret"
        info = {"sha256": "0" * 64, "bytes": (outside / "secret").stat().st_size}
        if field == "model":
            edit_manifest(bundle, lambda values: values.update(model=name))
        edit_manifest(bundle, lambda values: values["files"].update({name: info}))

    return make


def _raw_manifest(content: bytes) -> Callable[[Path, Path], object]:
    return lambda bundle, outside: (bundle / "manifest.json").write_bytes(content)


def _truncated(bundle: Path, outside: Path) -> None:
    os.truncate(bundle / "model.onnx", 400)


def _changed(bundle: Path, outside: Path) -> None:
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(content)


def _golden(write: Callable[[io.BytesIO], object]) -> Callable[[Path, Path], object]:
    def make(bundle: Path, outside: Path) -> None:
        buffer = io.BytesIO()
        write(buffer)
        replace_file(bundle, "golden.npz", buffer.getvalue())

    return make


def _zeros(buffer: io.BytesIO) -> None:
    """Two hundred megabytes of zeros in one."""
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("logits.npy", bytes(210_000_000))


def _huge_header(buffer: io.BytesIO) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (256, 1, 99999999, 9999), }\n"
    with zipfile.ZipFile(buffer, "w") as archive:
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        archive.writestr("inputs.npy", content)
        archive.writestr("logits.npy", content)


def _bad_name(buffer: io.BytesIO) -> None:
    """A member's name that claims to be UTF-8 and is not."""
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("\u00e9" * 4, b"")
    content = buffer.getvalue().replace("\u00e9".encode(), b"\xff\xff")
    buffer.seek(0)
    buffer.write(content)


def _pickled(buffer: io.BytesIO) -> None:
    np.savez(buffer, inputs=np.array([print], dtype=object), logits=np.zeros((2, 3), np.float32))


def _onnx(change: Callable[[onnx.ModelProto], object]) -> Callable[[Path, Path], object]:
    return lambda bundle, outside: edit_onnx(bundle, change)


def _external(bundle: Path, outside: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[3]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"../{outside.name}/secret")

    edit_onnx(bundle, change)


def _dims(*sizes: int) -> Callable[[onnx.ModelProto], object]:
    def change(model: onnx.ModelProto) -> None:
        del model.graph.initializer[3].dims[:]
        model.graph.initializer[3].dims.extend(sizes)

    return change


def _made(operator: str, *constants: Any, **attributes: Any) -> Callable[[Path, Path], object]:
    """Add something huge, made of constants alone, to the logits."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        names = []
        for number, value in enumerate(constants):
            names.append("" if value is None else f"made{number}")
            if value is not None:
                graph.initializer.append(numpy_helper.from_array(np.asarray(value), names[-1]))
        last = graph.node[-1]
        last.output[0] = "before"
        graph.node.extend(
            [
                helper.make_node(operator, names, ["made"], **attributes),
                helper.make_node("Cast", ["made"], ["floats"], to=TensorProto.FLOAT),
                helper.make_node("ReduceMax", ["floats"], ["most"], keepdims=0),
                helper.make_node("Add", ["before", "most"], ["logits"]),
            ]
        )

    return _onnx(change)


def _computed_size(model: onnx.ModelProto) -> None:
    """A size that is small wherever it is written down: 60,000 times 60,000."""
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([60_000]), "side"))
    graph.node[-1].output[0] = "before"
    graph.node.extend(
        [
            helper.make_node("Mul", ["side", "side"], ["area"]),
            helper.make_node("ConstantOfShape", ["area"], ["made"]),
            helper.make_node("ReduceMax", ["made"], ["most"], keepdims=0),
            helper.make_node("Add", ["before", "most"], ["logits"]),
        ]
    )


def _scale(value: float, dtype: Any = np.float32) -> Callable[[Path, Path], object]:
    """Quantize the normalised pixels with a scale, and dequantize them again."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        graph.initializer.append(numpy_helper.from_array(dtype(value), "step"))
        graph.initializer.append(numpy_helper.from_array(np.int8(0), "zero"))
        graph.node[4].input[0] = "rough"
        quantize = helper.make_node("QuantizeLinear", ["normal", "step", "zero"], ["steps"])
        back = helper.make_node("DequantizeLinear", ["steps", "step", "zero"], ["rough"])
        for place, node in ((4, quantize), (5, back)):
            graph.node.insert(place, node)

    return _onnx(change)


def _deep_metadata(model: onnx.ModelProto) -> None:
    helper.set_model_props(model, {"edgenet": "[" * 1_000_000})


def _engine_context(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "EPContext"
    model.graph.node[-1].domain = "com.microsoft"


def _deep_graphs(model: onnx.ModelProto) -> None:
    graph = helper.make_graph([], "innermost", [], [])
    for _ in range(20):
        node = helper.make_node("If", ["c"], ["y"], then_branch=graph)
        graph = helper.make_graph([node], "graph", [], [])
    model.graph.node.append(graph.node[0])


def _functions(model: onnx.ModelProto) -> None:
    """Thirty functions, each of which calls the next one twice: a billion nodes."""
    model.ir_version = 8
    model.opset_import.append(helper.make_opsetid("own", 1))
    opsets = list(model.opset_import)
    for number in range(30):
        calls = [("x", "between"), ("between", "y")]
        nodes = [
            helper.make_node(f"f{number + 1}", [source], [result], domain="own")
            for source, result in calls
        ]
        model.functions.append(
            helper.make_function("own", f"f{number}", ["x"], ["y"], nodes, opsets)
        )
    last = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(helper.make_function("own", "f30", ["x"], ["y"], last, opsets))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(helper.make_node("f0", ["before"], ["logits"], domain="own"))


def _sizes_of_nothing(model: onnx.ModelProto) -> None:
    """The sizes of a tensor without elements, but for its 0: a square million."""
    graph = model.graph
    for name, values in (("sizes", [0, 1 << 20, 1 << 20]), ("rest", [1, 2])):
        graph.initializer.append(numpy_helper.from_array(np.array(values), name))
    graph.initializer.append(numpy_helper.from_array(np.zeros(0, np.float32), "nothing"))
    graph.node[-1].output[0] = "before"
    graph.node.extend(
        [
            helper.make_node("Reshape", ["nothing", "sizes"], ["flat"]),
            helper.make_node("Shape", ["flat"], ["shape"]),
            helper.make_node("Gather", ["shape", "rest"], ["square"]),
            helper.make_node("ConstantOfShape", ["square"], ["made"]),
            helper.make_node("ReduceMax", ["made"], ["most"], keepdims=0),
            helper.make_node("Add", ["before", "most"], ["logits"]),
        ]
    )


def _engine(bundle: Path, outside: Path) -> None:
    """Call a picture an engine."""
    replace_file(bundle, "model.engine", b"\x89PNG" * 100)
    edit_manifest(bundle, lambda values: values.update(model="model.engine", format="engine"))


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


_HUGE_INPUT = {"name": "input", "dtype": "uint8", "shape": ["N", 1, 60_000, 60_000]}
_ONE = np.ones(1, np.float32)

ATTACKS: Mapping[str, Attack] = {
    "path traversal in model": Attack("onnx", _named_outside("model", False), ALL),
    "absolute name in model": Attack("onnx", _named_outside("model", True), ALL),
    "path traversal in files": Attack("onnx", _named_outside("files", False), ALL),
    "absolute name in files": Attack("onnx", _named_outside("files", True), ALL),
    "symbolic link, model": Attack("onnx", _move_out("model.onnx", Path.symlink_to), ALL),
    "symbolic link, golden": Attack("onnx", _move_out("golden.npz", Path.symlink_to), ALL),
    "symbolic link, manifest": Attack("onnx", _move_out("manifest.json", Path.symlink_to), ALL),
    "hard link, model": Attack("onnx", _move_out("model.onnx", Path.hardlink_to), ALL),
    "hard link, manifest": Attack("onnx", _move_out("manifest.json", Path.hardlink_to), ALL),
    "truncated model": Attack("onnx", _truncated, ALL),
    "wrong hash": Attack("onnx", _changed, ALL),
    "manifest, truncated": Attack("onnx", _raw_manifest(b'{"schema": "edgenet.bun'), ALL),
    "manifest, a million deep": Attack("onnx", _raw_manifest(b"[" * 1_000_000), ALL),
    "manifest, 500 deep": Attack("onnx", _manifest(options={"x": _nested(500)}), ALL),
    "manifest, other schema": Attack("onnx", _manifest(schema="edgenet.bundle/9"), ALL),
    "manifest, huge dimension": Attack("onnx", _manifest(input=_HUGE_INPUT), ALL),
    "golden, zip bomb": Attack("onnx", _golden(_zeros), ("verify", "bench")),
    "golden, huge header": Attack("onnx", _golden(_huge_header), ("verify", "bench")),
    "golden, pickled": Attack("onnx", _golden(_pickled), ("verify", "bench")),
    "golden, name not UTF-8": Attack("onnx", _golden(_bad_name), ("verify", "bench")),
    "ONNX, external data": Attack("onnx", _external, RUN),
    "ONNX, huge dimension": Attack("onnx", _onnx(_dims(1 << 40)), RUN),
    "ONNX, more claimed than held": Attack("onnx", _onnx(_dims(1 << 15, 1 << 15)), RUN),
    "ONNX, ConstantOfShape": Attack("onnx", _made("ConstantOfShape", [1 << 31]), RUN),
    "ONNX, Expand": Attack("onnx", _made("Expand", _ONE, [1 << 31]), RUN),
    "ONNX, Tile": Attack("onnx", _made("Tile", _ONE, [1 << 31]), RUN),
    "ONNX, Range": Attack("onnx", _made("Range", 0, 1 << 31, 1), RUN),
    "ONNX, Pad": Attack("onnx", _made("Pad", _ONE, [0, 1 << 31]), RUN),
    "ONNX, RandomNormal": Attack("onnx", _made("RandomNormal", shape=[1 << 16, 1 << 16]), RUN),
    "ONNX, Resize": Attack(
        "onnx", _made("Resize", _ONE.reshape(1, 1, 1, 1), None, None, [1, 1, 1 << 16, 1 << 16]), RUN
    ),
    "ONNX, computed size": Attack("onnx", _onnx(_computed_size), RUN),
    "ONNX, scale NaN": Attack("onnx", _scale(np.nan), RUN),
    "ONNX, scale infinite": Attack("onnx", _scale(np.inf), RUN),
    "ONNX, scale 0": Attack("onnx", _scale(0), RUN),
    "ONNX, scale negative": Attack("onnx", _scale(-1), RUN),
    "ONNX, metadata a million deep": Attack("onnx", _onnx(_deep_metadata), VERIFY),
    "ONNX, graphs 20 deep": Attack("onnx", _onnx(_deep_graphs), RUN),
    "ONNX, functions of functions": Attack("onnx", _onnx(_functions), RUN),
    "ONNX, sizes of nothing": Attack("onnx", _onnx(_sizes_of_nothing), RUN),
    "ONNX, a file of an engine": Attack("onnx", _onnx(_engine_context), RUN),
    "ONNX, no protobuf": Attack(
        "onnx", lambda bundle, outside: replace_file(bundle, "model.onnx", b"no network"), RUN
    ),
    "engine, wrong magic": Attack("onnx", _engine, VERIFY),
}
