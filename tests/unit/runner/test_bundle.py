"""Opening bundles: whole ones, and every way of not being whole.

The list of damages is long, and one place shows that none is missing.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenet.errors import CorruptFile, UsageError
from edgenet.runner.bundle import Manifest, open_bundle
from tests.bundles import LABELS, SHAPE, edit_manifest, replace_file, write_onnx_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A valid bundle, to be damaged."""
    return write_onnx_bundle(tmp_path / "bundle")


def test_a_whole_bundle_opens_with_all_that_its_manifest_says(bundle: Path) -> None:
    """The manifest read is the manifest written."""
    opened = open_bundle(bundle)
    assert opened.manifest.to_json() == json.loads((bundle / "manifest.json").read_text())
    assert opened.manifest.labels == LABELS
    assert opened.manifest.picture_shape == SHAPE
    assert opened.manifest.fixed_batch is None
    assert opened.model_path == bundle / "model.onnx"
    assert opened.model_bytes == (bundle / "model.onnx").stat().st_size


def test_a_manifest_survives_a_round_trip(bundle: Path) -> None:
    """What export writes, the runner reads."""
    manifest = open_bundle(bundle).manifest
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest


def test_golden_vectors_are_read_and_single_ones_can_be_picked(bundle: Path) -> None:
    """The measuring process reads the inputs alone."""
    golden = open_bundle(bundle).golden()
    assert golden["inputs"].shape == (8, *SHAPE)
    assert golden["logits"].dtype == np.float32
    assert list(open_bundle(bundle).golden(["inputs"])) == ["inputs"]


def test_a_folder_without_a_manifest_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    """Naming the wrong folder is no corruption."""
    with pytest.raises(UsageError, match=r"manifest\.json"):
        open_bundle(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        open_bundle(tmp_path / "absent")


HUGE = 10**18

# Every field of the manifest, made wrong in the ways that matter for it.
WRONG: dict[str, list[Any]] = {
    "schema": ["edgenet.bundle/2", None, 1],
    "name": ["", "a/b", "a\nb", 5, None, "x" * 300],
    "format": ["", "ONNX", "../x", 1, None],
    "precision": ["", "FP 32", None],
    "target": ["", 3, "Jetson Nano"],
    "model": ["", ".", "..", "../model.onnx", "/etc/passwd", "a/b", "absent.onnx", ".hidden", None],
    "input": [
        None,
        [],
        {"name": "input", "dtype": "uint8"},
        {"name": "input", "dtype": "object", "shape": ["N", 1, 6, 5]},
        {"name": "input", "dtype": "uint8", "shape": ["M", 1, 6, 5]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 6]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 6, HUGE]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 65536, 65536, 65536]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 6, 0]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 6, -5]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 6, 5.0]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, True, 5]},
        {"name": "input", "dtype": "uint8", "shape": [HUGE, 1, 6, 5]},
        {"name": "input", "dtype": "uint8", "shape": [2, 1, 6, 5]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 5, 6]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 3, 6, 5]},
        {"name": "", "dtype": "uint8", "shape": ["N", 1, 6, 5]},
        {"name": "input", "dtype": "uint8", "shape": ["N", 1, 6, 5], "more": 1},
    ],
    "output": [
        None,
        {"name": "logits", "dtype": "float64", "shape": ["N", 3]},
        {"name": "logits", "dtype": "float32", "shape": ["N", 4]},
        {"name": "logits", "dtype": "float32", "shape": ["N", HUGE]},
        {"name": "logits", "dtype": "float32", "shape": [3]},
    ],
    "labels": [None, [], ["a"], ["a", "b", 3], "abc", {"a": 1}, ["a"] * 200_000],
    "preprocessing": [None, {}, {"mode": "L"}, [1]],
    "probability": ["", "argmax", None],
    "longest_reduction": [0, -1, HUGE, 1.5, "30", None, True],
    "parent": [[], {}, {"checkpoint_sha256": "x", "spec": {}}, {"checkpoint_sha256": "0" * 64}],
    "accuracy": [
        None,
        {},
        {"test": None},
        {"test": None, "validation": {"correct": 5, "n": 4, "digest": "0" * 64}},
        {"test": None, "validation": {"correct": 1, "n": 0, "digest": "0" * 64}},
        {"test": None, "validation": {"correct": 1, "n": 4, "digest": "../x"}},
        {"test": None, "validation": None, "train": None},
    ],
    "options": [None, [], "x"],
    "tools": [None, {"torch": 2}, []],
    "files": [
        None,
        {},
        {"model.onnx": {"sha256": "0" * 64, "bytes": 1}},
        {"golden.npz": {"sha256": "0" * 64, "bytes": 1}},
    ],
}
WRONG_FILES: list[dict[str, Any]] = [
    {"../golden.npz": {"sha256": "0" * 64, "bytes": 1}},
    {"/etc/hostname": {"sha256": "0" * 64, "bytes": 1}},
    {"a/../b": {"sha256": "0" * 64, "bytes": 1}},
    {"a\\b": {"sha256": "0" * 64, "bytes": 1}},
    {"manifest.json": {"sha256": "0" * 64, "bytes": 1}},
    {"model.onnx": {"sha256": "0" * 63, "bytes": 712}},
    {"model.onnx": {"sha256": "0" * 64, "bytes": HUGE}},
    {"model.onnx": {"sha256": "0" * 64, "bytes": 0}},
    {"model.onnx": {"sha256": "0" * 64, "bytes": -1}},
    {"model.onnx": {"sha256": "0" * 64}},
    {"model.onnx": None},
    {"absent.bin": {"sha256": "0" * 64, "bytes": 1}},
    {f"{number}.bin": {"sha256": "0" * 64, "bytes": 1} for number in range(64)},
]


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_a_manifest_with_a_wrong_field_is_refused(bundle: Path, field: str, value: Any) -> None:
    """No field may be wrong, and the message names the manifest."""
    edit_manifest(bundle, lambda manifest: manifest.update({field: value}))
    with pytest.raises(CorruptFile, match=r"manifest\.json|preprocessing"):
        open_bundle(bundle)


@pytest.mark.parametrize("field", list(WRONG))
def test_a_manifest_that_lacks_a_field_is_refused(bundle: Path, field: str) -> None:
    """There are no defaults to fall back on in silence."""
    edit_manifest(bundle, lambda manifest: manifest.pop(field))
    with pytest.raises(CorruptFile, match=field):
        open_bundle(bundle)


def test_a_manifest_with_a_field_too_many_is_refused(bundle: Path) -> None:
    """A field that is not read must not look as if it were."""
    edit_manifest(bundle, lambda manifest: manifest.update(extra=1))
    with pytest.raises(CorruptFile, match="extra is not a known field"):
        open_bundle(bundle)


@pytest.mark.parametrize("entry", WRONG_FILES)
def test_a_file_entry_that_is_wrong_is_refused(bundle: Path, entry: dict[str, Any]) -> None:
    """Names with a path in them, impossible lengths, hashes that are none."""
    edit_manifest(bundle, lambda manifest: manifest["files"].update(entry))
    with pytest.raises(CorruptFile):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
@pytest.mark.parametrize("position", [0, 0.5, 1])
def test_one_changed_byte_is_found_and_the_file_is_named(
    bundle: Path, name: str, position: float
) -> None:
    """At the start, in the middle and at the end."""
    content = bytearray((bundle / name).read_bytes())
    content[int(position * (len(content) - 1))] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(CorruptFile, match=name) as caught:
        open_bundle(bundle)
    assert caught.value.exit_code == 6


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _symlink(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def _hard_link(path: Path) -> None:
    os.link(path, path.parent.parent / "second-name")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "manifest.json"])
@pytest.mark.parametrize("damage", [_symlink, _hard_link, _fifo, _folder])
def test_a_file_that_is_a_link_or_no_file_is_refused(
    bundle: Path, name: str, damage: Callable[[Path], None]
) -> None:
    """A link leads out of the bundle; a pipe never ends."""
    damage(bundle / name)
    with pytest.raises(CorruptFile, match=name):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
@pytest.mark.parametrize("damage", [_shorten, Path.unlink])
def test_a_missing_or_truncated_file_is_refused(
    bundle: Path, name: str, damage: Callable[[Path], None]
) -> None:
    """A copy that stopped half-way."""
    damage(bundle / name)
    with pytest.raises(CorruptFile, match=name):
        open_bundle(bundle)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b" " * ((1 << 20) + 1),
        b'{"schema": "edgenet.bundle/1", "labels": ' + b"9" * 1_000_000 + b"}",
    ],
    ids=["empty", "zeros", "deep array", "deep object", "too long", "long integer"],
)
def test_a_manifest_that_is_no_manifest_is_refused_quickly(bundle: Path, content: bytes) -> None:
    """Neither depth nor length nor digits cost more than the file itself."""
    (bundle / "manifest.json").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"manifest\.json"):
        open_bundle(bundle)


def test_a_manifest_of_a_gigabyte_is_refused_without_being_read(bundle: Path) -> None:
    """A sparse file costs its author nothing and must cost us nothing."""
    os.truncate(bundle / "manifest.json", 1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorruptFile, match="longer than"):
        open_bundle(bundle)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_files_that_the_manifest_does_not_list_are_left_alone(bundle: Path) -> None:
    """A desktop's hidden files do not spoil a bundle."""
    (bundle / ".DS_Store").write_bytes(b"x")
    assert open_bundle(bundle).manifest.name == "tiny"


def _golden(**arrays: Any) -> Callable[[Path], None]:
    good: dict[str, Any] = {
        "inputs": np.zeros((2, *SHAPE), np.uint8),
        "logits": np.zeros((2, 3), np.float32),
    }

    def write(path: Path) -> None:
        kept = {name: value for name, value in {**good, **arrays}.items() if value is not None}
        np.savez(path, **kept)

    return write


def _compressed(path: Path) -> None:
    np.savez_compressed(path, inputs=np.zeros((2, *SHAPE), np.uint8))


def _members(*members: tuple[str, bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members:
                archive.writestr(name, content)

    return write


def _claims(shape: str) -> bytes:
    """An array's header that claims a shape, with no data behind it."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "write",
    [
        _golden(inputs=None),
        _golden(logits=None),
        _golden(inputs=np.zeros((257, *SHAPE), np.uint8)),
        _golden(inputs=np.zeros((2, 1, 5, 6), np.uint8)),
        _golden(inputs=np.zeros((2, *SHAPE), np.float32)),
        _golden(logits=np.zeros((2, 4), np.float32)),
        _golden(logits=np.zeros((2, 3), np.float64)),
        _golden(logits=np.full((2, 3), np.nan, np.float32)),
        _golden(parent_logits=np.full((2, 3), np.inf, np.float32)),
        _golden(logits=np.asfortranarray(np.zeros((2, 3), np.float32))),
        _golden(predictions_xyz=np.zeros(5, np.int16)),
        _golden(stranger=np.zeros(5)),
        _golden(**{f"predictions_{number:x}": np.zeros(1, np.int16) for number in range(70)}),
        _compressed,
        _members(("../inputs.npy", b"x")),
        _members(("inputs.npy", b"x")),
        _members(("inputs.npy", _claims("(200, 1, 6, 5)"))),
        _members(("inputs.npy", _claims("(-2, 1, 6, 5)"))),
        _members(("inputs.npy", _claims("()"))),
        _members(("inputs.npy", _claims("[" * 900))),
        _members(("inputs.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535)),
        _members(("inputs.npy", b"\x93NUMPY\x03\x00\xff\xff\xff\xff")),
        lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18),
        lambda path: path.write_bytes(b"no archive"),
    ],
)
def test_golden_vectors_that_are_not_what_they_should_be_are_refused(
    bundle: Path, write: Callable[[Path], object]
) -> None:
    """The hashes are right here: whoever made the bundle made it so."""
    path = bundle.parent / "golden.npz"
    write(path)
    replace_file(bundle, "golden.npz", path.read_bytes())
    with pytest.raises(CorruptFile, match=r"golden\.npz"):
        open_bundle(bundle).golden()


def test_pickled_golden_vectors_are_never_unpickled(bundle: Path) -> None:
    """An array of objects is a pickle, and a pickle runs code when it is read."""
    path = bundle.parent / "golden.npz"
    np.savez(path, inputs=np.array([print], dtype=object), logits=np.zeros((2, 3), np.float32))
    replace_file(bundle, "golden.npz", path.read_bytes())
    with pytest.raises(CorruptFile, match="inputs"):
        open_bundle(bundle).golden()


def test_the_model_is_read_as_it_was_hashed(bundle: Path) -> None:
    """For runtimes that take bytes: nothing can be swapped in between."""
    opened = open_bundle(bundle)
    assert opened.model_content() == (bundle / "model.onnx").read_bytes()
    for content in (b"other", (bundle / "model.onnx").read_bytes() + b"more"):
        (bundle / "model.onnx").write_bytes(content)
        with pytest.raises(CorruptFile, match=r"model\.onnx is not the file that was exported"):
            opened.model_content()


def test_golden_vectors_changed_after_opening_are_refused(bundle: Path) -> None:
    """The file is hashed again when it is read."""
    opened = open_bundle(bundle)
    content = bytearray((bundle / "golden.npz").read_bytes())
    content[200] ^= 1
    (bundle / "golden.npz").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"golden\.npz"):
        opened.golden()
