"""Reading ``.pt2`` files; the hostile ones are in `tests.hostile_torch`."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgenet.errors import CorruptFile, NotPossible
from edgenet.runner.archive import read_members, write_archive
from edgenet.runner.bundle import open_bundle
from edgenet.runner.fields import FieldError
from edgenet.runner.pt2_file import PROGRAM, check_version, read_pt2
from edgenet.runner.pt2_program import check_program
from edgenet.runner.runtimes import pt2
from edgenet.runner.torch_errors import explained
from edgenet.runner.torch_operators import OPERATORS
from tests.bundles import edit_manifest, pictures, replace_file, write_pt2_bundle


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the members of a good file."""
    bundle = write_pt2_bundle(tmp_path_factory.mktemp("pt2") / "bundle")
    return read_members(io.BytesIO((bundle / "model.pt2").read_bytes()))


@pytest.fixture
def program(members: dict[str, bytes]) -> dict[str, Any]:
    """Return the program of a good file, to be changed."""
    value: dict[str, Any] = json.loads(members[PROGRAM])
    return value


def _graph(program: dict[str, Any]) -> Any:
    return program["graph_module"]["graph"]


def test_every_operator_of_the_list_is_one_of_pytorchs() -> None:
    """A typing error in the list would refuse good networks."""
    for name in sorted(OPERATORS):
        assert getattr(torch.ops.aten, name).overloads()


def test_a_good_file_is_taken_apart_and_put_together_again(members: dict[str, bytes]) -> None:
    """The archive that PyTorch gets has what was read, in the order it was in."""
    stored = read_pt2(io.BytesIO(write_archive(members)))
    assert {name: tensor.shape for name, tensor in stored.tensors.items()} == {
        "weight": (30, 3),
        "bias": (3,),
    }
    assert stored.archive() == write_archive(members)


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s0', positive=True, integer=True)",
        "s31",
        "Mul(Integer(16), Symbol('s7', positive=True, integer=True))",
    ],
)
def test_a_size_may_be_the_batch_or_a_multiple_of_it(program: dict[str, Any], text: str) -> None:
    """A network that folds one axis into the batch has such sizes."""
    program = json.loads(json.dumps(program).replace(_size(program), text))
    check_program(program)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getpid()",
        "Symbol('s0', positive=True, integer=True).func",
        "Symbol('x' * 10**9, positive=True, integer=True)",
        "9**9**9",
        "s0 + s1",
        "factorial(99999)",
        "s0\n",
        "",
    ],
)
def test_any_other_text_as_a_size_is_refused(program: dict[str, Any], text: str) -> None:
    """PyTorch would evaluate it as Python."""
    program = json.loads(json.dumps(program).replace(_size(program), json.dumps(text)[1:-1]))
    with pytest.raises(FieldError, match="expr_str is"):
        check_program(program)


def _size(program: dict[str, Any]) -> str:
    values = _graph(program)["tensor_values"].values()
    sizes = [size for meta in values for size in meta["sizes"]]
    return str(next(size["as_expr"]["expr_str"] for size in sizes if "as_expr" in size))


def _change(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(program: dict[str, Any]) -> None:
        at: Any = program
        *path, last = [int(step) if step.isdigit() else step for step in place.split("/")]
        for step in path:
            at = at[step]
        at[last] = value

    return change


ARGUMENT = "graph_module/graph/nodes/1/inputs/0/arg"
NODE = "graph_module/graph/nodes/1"
SPEC = "graph_module/signature/input_specs/0"


@pytest.mark.parametrize(
    "change",
    [
        _change("unheard_of", {"code": 1}),
        _change("schema_version/major", 9),
        _change("verifiers", ["os"]),
        _change("torch_version", "2.14; import os"),
        _change("opset_version", {"other": 1}),
        _change("range_constraints", {"os.x": {"min_val": 0, "max_val": 1}}),
        _change("graph_module/metadata", {"custom": "[]"}),
        _change("graph_module/treespec_namedtuple_fields", {"x": {"field_names": ["y"]}}),
        _change("graph_module/module_call_graph/0/fqn", "network"),
        _change("graph_module/module_call_graph/0/signature/out_spec", "[1, {}]"),
        _change("graph_module/graph/custom_obj_values", {"x": {"name": "x", "class_fqn": "y"}}),
        _change("graph_module/graph/outputs", [{"as_int": 1}]),
        _change("graph_module/graph/is_single_tensor_return", True),
        _change(f"{NODE}/metadata", {"stack_trace": "File"}),
        _change(f"{NODE}/target", "torch.ops.aten.add.out"),
        _change(f"{NODE}/target", "torch.ops.higher_order.cond"),
        _change(f"{NODE}/target", "torch.ops.aten.full.default"),
        _change(f"{NODE}/target", "math.factorial"),
        _change(f"{NODE}/name", "a b"),
        _change(ARGUMENT, {"as_custom_obj": {"name": "x", "class_fqn": "y"}}),
        _change(ARGUMENT, {"as_operator": "torch.os.system"}),
        _change(ARGUMENT, {"as_graph": {"name": "x", "graph": {}}}),
        _change(ARGUMENT, {"as_string": "/etc/passwd"}),
        _change(ARGUMENT, {"as_device": {"type": "cuda", "index": None}}),
        _change(ARGUMENT, {"as_int": 1 << 40}),
        _change(ARGUMENT, {"as_int": True}),
        _change(ARGUMENT, {"as_int": 1, "as_float": 1.0}),
        _change(ARGUMENT, {"as_float": "NaN"}),
        _change(f"{SPEC}/parameter/parameter_name", "__class__"),
        _change(f"{SPEC}/parameter/parameter_name", "a.__init__.b"),
        _change(f"{SPEC}/parameter/parameter_name", "a b"),
        _change(SPEC, {"custom_obj": {}}),
        _change(SPEC, []),
        _change("graph_module", None),
        _change("graph_module/graph/nodes", {}),
    ],
)
def test_a_program_with_anything_else_in_it_is_refused(
    program: dict[str, Any], change: Callable[[dict[str, Any]], None]
) -> None:
    """Every union, every name and every field that may hold code or an object."""
    check_program(copy.deepcopy(program))
    change(program)
    with pytest.raises(FieldError):
        check_program(program)


def test_a_field_of_a_later_pytorch_may_be_there_if_it_is_empty(program: dict[str, Any]) -> None:
    """PyTorch adds fields; one that says nothing harms nobody."""
    empty: tuple[Any, ...] = (None, [], {}, "", False)
    for value in empty:
        check_program({**program, "new": value})


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("byteorder", b"big", "byteorder is not"),
        ("archive_version", b"1", "archive_version is not"),
        ("data/weights/weight_0", b"\0" * 359, "holds 359 bytes"),
        ("data/weights/weight_9", b"\0", "does not belong there"),
        ("models/other.json", b"{}", "does not belong there"),
        (PROGRAM, b"[" * 100_000, "nested too deeply"),
        (PROGRAM, b"\x80\x02", "not JSON"),
        (PROGRAM, b"[]", "the program must be an object"),
    ],
)
def test_a_member_that_is_not_as_it_should_be_is_refused(
    members: dict[str, bytes], name: str, content: bytes, complaint: str
) -> None:
    """Each by its name."""
    with pytest.raises(FieldError, match=complaint):
        read_pt2(io.BytesIO(write_archive({**members, name: content})))


@pytest.mark.parametrize("name", ["archive_format", PROGRAM, "data/weights/weight_0"])
def test_a_member_that_is_missing_is_named(members: dict[str, bytes], name: str) -> None:
    """A truncated file has no directory at all; this one has less."""
    members = {each: content for each, content in members.items() if each != name}
    with pytest.raises(FieldError, match=name):
        read_pt2(io.BytesIO(write_archive(members)))


def test_a_program_that_contradicts_itself_is_refused_by_pytorch_in_one_line(
    tmp_path: Path, members: dict[str, bytes], program: dict[str, Any]
) -> None:
    """What the rules let through, its own loader refuses with a page."""
    _graph(program)["nodes"][2]["inputs"][0]["arg"]["as_tensor"]["name"] = "nobody"
    content = write_archive({**members, PROGRAM: json.dumps(program).encode()})
    bundle = write_pt2_bundle(tmp_path / "bundle")
    replace_file(bundle, "model.pt2", content)
    with pytest.raises(CorruptFile, match=r"model\.pt2 is not a program that loads") as caught:
        pt2.open_session(open_bundle(bundle), 1, "cpu")
    assert len(caught.value.message.splitlines()) == 1


def test_a_program_that_gives_another_shape_than_the_manifest_says_is_refused(
    tmp_path: Path,
) -> None:
    """Its file does not tell; the first result does."""
    bundle = write_pt2_bundle(tmp_path / "bundle")

    def claim_four(manifest: dict[str, Any]) -> None:
        manifest["labels"] = ["a", "b", "c", "d"]
        manifest["output"]["shape"] = ["N", 4]

    edit_manifest(bundle, claim_four)
    session = pt2.open_session(open_bundle(bundle), 1, "cpu")
    with pytest.raises(CorruptFile, match="does not give float32"):
        session.run(pictures(1))


def test_memory_that_runs_out_is_no_fault_of_the_file(tmp_path: Path) -> None:
    """Exit code 1 and a smaller batch, not exit code 6."""
    for error in (MemoryError(), RuntimeError("[enforce fail] ...: can't allocate memory: you")):
        told = explained(tmp_path / "model.pt2", "does not run", error)
        assert (told.exit_code, told.hint) == (1, "a smaller batch needs less")
    assert explained(tmp_path, "does not run", RuntimeError("a\nb"), -1).message.endswith("run: b")
    assert explained(tmp_path, "does not run", KeyError()).message.endswith("run: KeyError")


@pytest.mark.parametrize("version", ["2.5.1+cu124", "2.8.0", "1.13"])
def test_a_pytorch_that_keeps_weights_as_pickles_is_refused(version: str) -> None:
    """What it cannot read safely, it does not read."""
    with pytest.raises(NotPossible, match="pickles"):
        check_version(version)
    for newer in ("2.9.0", "2.14.1+cu130", "3.0"):
        check_version(newer)
