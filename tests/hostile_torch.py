"""Bundles of PyTorch's formats as an attacker makes them; see `tests.hostile`."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.bundles import replace_file
from tests.hostile import RUN, Attack

Change = Callable[[dict[str, bytes], Path], object]
"""Changes the members of an archive, by their names without the folder they are in."""


class _Toucher:
    """Its pickle makes a file in the folder outside when it is read."""

    def __init__(self, outside: Path) -> None:
        self._outside = outside

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._outside}/touched",)


def _archive(
    change: Change, compression: int = zipfile.ZIP_STORED
) -> Callable[[Path, Path], object]:
    def make(bundle: Path, outside: Path) -> None:
        (file,) = bundle.glob("model.pt*")
        with zipfile.ZipFile(file) as archive:
            members = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
        change(members, outside)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression, compresslevel=1) as archive:
            for name, content in members.items():
                archive.writestr("archive/" + name, content)
        replace_file(bundle, file.name, buffer.getvalue())

    return make


def _code(line: str) -> Change:
    """Add a line to the code of ``forward``; ``OUT`` in it stands for the folder outside."""

    def change(members: dict[str, bytes], outside: Path) -> None:
        (name,) = [name for name in members if name.endswith(".py")]
        old = b"    bias = self.bias\n"
        assert old in members[name]
        new = old + f"    {line}\n".replace("OUT", str(outside)).encode()
        members[name] = members[name].replace(old, new)

    return change


def _set_state(members: dict[str, bytes], outside: Path) -> None:
    (name,) = [name for name in members if name.endswith(".py")]
    members[name] += (
        "  def __setstate__(self: __torch__.tests.bundles.Classifier, state: bool) -> NoneType:\n"
        f'    self.bias = torch.from_file("{outside}/touched", True, 3)\n    return None\n'
    ).encode()


def _beyond(members: dict[str, bytes], outside: Path) -> None:
    """Let the weights begin behind the end of their numbers: a million further."""
    begins = b"K\x00(K\x1eK\x03t"  # offset 0, sizes (30, 3)
    assert begins in members["data.pkl"]
    moved = b"J\x00\x00\x10\x00" + begins[2:]
    members["data.pkl"] = members["data.pkl"].replace(begins, moved)


def _swollen_storage(members: dict[str, bytes], outside: Path) -> None:
    """Let the 90 numbers of the weights be a hundred million."""
    numbers = b"K\x5atQ"
    assert numbers in members["data.pkl"]
    members["data.pkl"] = members["data.pkl"].replace(numbers, b"J\x00\xe1\xf5\x05tQ")


def _bomb(members: dict[str, bytes], outside: Path) -> None:
    members["code/bomb.py"] = bytes(210_000_000)


def _swollen(members: dict[str, bytes], outside: Path) -> None:
    members["data/weights/weight_0"] = bytes(210_000_000)


def _program(change: Callable[[dict[str, Any], Path], object]) -> Callable[[Path, Path], object]:
    def edit(members: dict[str, bytes], outside: Path) -> None:
        program = json.loads(members["models/model.json"])
        change(program, outside)
        members["models/model.json"] = json.dumps(program).encode()

    return _archive(edit)


def _pickle(member: str) -> Change:
    def change(members: dict[str, bytes], outside: Path) -> None:
        import pickle  # noqa: TID251 - what an attacker would write

        members[member] = pickle.dumps((_Toucher(outside),))

    return change


def _pickled_weight(members: dict[str, bytes], outside: Path) -> None:
    name = "data/weights/model_weights_config.json"
    config = json.loads(members[name])
    next(iter(config["config"].values()))["use_pickle"] = True
    members[name] = json.dumps(config).encode()
    _pickle("data/weights/weight_0")(members, outside)


def _legacy_weights(members: dict[str, bytes], outside: Path) -> None:
    """The name under which PyTorch 2.8 looks for a pickle of all weights, as does 2.14."""
    _pickle("data/weights/model.pt")(members, outside)


def _library(members: dict[str, bytes], outside: Path) -> None:
    members["data/aotinductor/model/model.so"] = b"\x7fELF"


def _huge_weight(members: dict[str, bytes], outside: Path) -> None:
    """An empty member, for which PyTorch takes as much memory as the sizes say."""
    name = "data/weights/model_weights_config.json"
    config = json.loads(members[name])
    meta = next(iter(config["config"].values()))
    meta["tensor_meta"]["sizes"] = [{"as_int": 1 << 20}, {"as_int": 1 << 12}]
    members[f"data/weights/{meta['path_name']}"] = b""
    members[name] = json.dumps(config).encode()


def _first_node(program: dict[str, Any]) -> Any:
    return program["graph_module"]["graph"]["nodes"][1]


def _expression(program: dict[str, Any], outside: Path) -> None:
    code = f"__import__('os').system('touch {outside}/touched')"
    values = program["graph_module"]["graph"]["tensor_values"]
    for meta in values.values():
        for size in meta["sizes"]:
            if "as_expr" in size:
                size["as_expr"]["expr_str"] = code


def _guard(program: dict[str, Any], outside: Path) -> None:
    program["guards_code"] = [f"__import__('os').system('touch {outside}/touched') == 0"]


def _operator(name: str) -> Callable[[dict[str, Any], Path], object]:
    return lambda program, outside: _first_node(program).update(target=name)


def _name(program: dict[str, Any], outside: Path) -> None:
    node = _first_node(program)
    old = node["outputs"][0]["as_tensor"]["name"]
    text = json.dumps(program).replace(f'"{old}"', '"x\\n    import os\\n    y"')
    program.update(json.loads(text))


def _tree(program: dict[str, Any], outside: Path) -> None:
    (call,) = program["graph_module"]["module_call_graph"]
    call["signature"]["in_spec"] = call["signature"]["in_spec"].replace(
        "builtins.dict", "collections.defaultdict"
    )


def _padding(program: dict[str, Any], outside: Path) -> None:
    node = _first_node(program)
    node["target"] = "torch.ops.aten.pad.default"
    pads = {"name": "pad", "arg": {"as_ints": [0, 10_000_000]}, "kind": 1}
    node["inputs"] = [node["inputs"][0], pads]


TORCH_ATTACKS: Mapping[str, Attack] = {
    "TorchScript, torch.save": Attack(
        "torchscript", _archive(_code('torch.save(bias, "OUT/touched")')), RUN
    ),
    "TorchScript, from_file": Attack(
        "torchscript", _archive(_code('bias = torch.from_file("OUT/touched", True, 3)')), RUN
    ),
    "TorchScript, an alias": Attack(
        "torchscript", _archive(_code('bias = ops.aten.from_file("OUT/touched", True, 3)')), RUN
    ),
    "TorchScript, hidden in text": Attack(
        "torchscript",
        _archive(_code('a, b, c = """ " """, torch.save(bias, \'OUT/touched\'), """ " """')),
        RUN,
    ),
    "TorchScript, tensor of other memory": Attack("torchscript", _archive(_beyond), RUN),
    "TorchScript, more claimed than held": Attack("torchscript", _archive(_swollen_storage), RUN),
    "TorchScript, on loading": Attack("torchscript", _archive(_set_state), RUN),
    "TorchScript, huge tensor": Attack(
        "torchscript", _archive(_code("bias = torch.ones([1 << 33])")), RUN
    ),
    "TorchScript, zip bomb": Attack("torchscript", _archive(_bomb, zipfile.ZIP_DEFLATED), RUN),
    "pt2, pickled input": Attack("pt2", _archive(_pickle("data/sample_inputs/model.pt")), RUN),
    "pt2, pickled weight": Attack("pt2", _archive(_pickled_weight), RUN),
    "pt2, pickled weights": Attack("pt2", _archive(_legacy_weights), RUN),
    "pt2, pickled object": Attack("pt2", _archive(_pickle("data/constants/opaque_obj_0")), RUN),
    "pt2, shared library": Attack("pt2", _archive(_library), RUN),
    "pt2, zip bomb": Attack("pt2", _archive(_swollen, zipfile.ZIP_DEFLATED), RUN),
    "pt2, huge weight": Attack("pt2", _archive(_huge_weight), RUN),
    "pt2, code as a size": Attack("pt2", _program(_expression), RUN),
    "pt2, code as a guard": Attack("pt2", _program(_guard), RUN),
    "pt2, code as a name": Attack("pt2", _program(_name), RUN),
    "pt2, torch.os.system": Attack("pt2", _program(_operator("torch.os.system")), RUN),
    "pt2, from_file": Attack("pt2", _program(_operator("torch.ops.aten.from_file.default")), RUN),
    "pt2, another type": Attack("pt2", _program(_tree), RUN),
    "pt2, huge padding": Attack("pt2", _program(_padding), RUN),
}
