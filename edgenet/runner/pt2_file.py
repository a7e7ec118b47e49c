"""What must be known of a ``.pt2`` file before PyTorch may load it.

PyTorch's own loader unpickles members, loads shared libraries that the archive brings along, and
evaluates text. So it never sees the file: the members that a network needs are read here, each is
checked (:mod:`edgenet.runner.pt2_program` has the rules for the program), and PyTorch gets an
archive that is written anew from exactly these (docs/decisions/0013). A file with a member that
holds a pickle is refused as a whole.
"""

import json
import re
from typing import Any, BinaryIO, Dict, Mapping, NamedTuple, Tuple

import numpy as np

from edgenet.errors import NotPossible
from edgenet.runner.archive import read_members, write_archive
from edgenet.runner.fields import FieldError, parse_json
from edgenet.runner.pt2_program import check_payloads, check_program, dimensions

OLDEST_TORCH = (2, 9)
MAX_JSON_BYTES = 1 << 26

PROGRAM = "models/model.json"
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
METADATA = "extra/edgenet.json"
_WEIGHTS, _CONSTANTS = "data/weights/", "data/constants/"
_CONFIGS = {
    _WEIGHTS: _WEIGHTS + "model_weights_config.json",
    _CONSTANTS: _CONSTANTS + "model_constants_config.json",
}
_FIXED = {
    "archive_format": b"pt2",
    "archive_version": b"0",
    "byteorder": b"little",
    ".data/version": b"6\n",
    SAMPLE_INPUTS: b"",
}
_DTYPES = dict(enumerate(("u1", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"), start=1))
"""NumPy's names for the numbers by which PyTorch stores types."""


class Pt2(NamedTuple):
    """A checked file.

    Attributes:
        program: Its JSON.
        tensors: Every stored tensor by its dotted name.
        members: What PyTorch needs, by name.
    """

    program: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]
    members: Mapping[str, bytes]

    def archive(self) -> bytes:
        """Return a file with these members and no others."""
        return write_archive(self.members)


def check_version(version: str) -> None:
    """Refuse a PyTorch whose ``.pt2`` files are pickles.

    Raises:
        NotPossible: It is older than 2.9.
    """
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_TORCH:
        message = "PyTorch {} keeps the weights in .pt2 files as pickles, which run code when read"
        hint = "use PyTorch 2.9 or newer, or --format torchscript or onnx"
        raise NotPossible(message.format(version), hint)


def read_pt2(file: BinaryIO) -> Pt2:
    """Read and check a ``.pt2`` file.

    Args:
        file: Open for reading, of a length that the manifest bounds.

    Raises:
        FieldError: It is no such file, or holds what a network does not need.
    """
    members = read_members(file)
    for name, content in _FIXED.items():
        if members.get(name) != content:
            what = "holds a pickle" if name == SAMPLE_INPUTS else "is not {!r}".format(content)
            raise FieldError("{} {}".format(name, what))
    program = _json(members, PROGRAM)
    check_program(program)
    tensors: Dict[str, np.ndarray] = {}
    needed = {*_FIXED, PROGRAM}
    for folder, config in _CONFIGS.items():
        payloads = check_payloads(_json(members, config))
        needed.add(config)
        for name, payload in payloads.items():
            member = folder + payload["path_name"]
            needed.add(member)
            tensors[name] = _tensor(members.get(member), payload["tensor_meta"], member)
    unknown = sorted(set(members) - needed - {METADATA})
    if unknown:
        raise FieldError("{!r} does not belong there".format(unknown[0][:80]))
    return Pt2(program, tensors, members)


def _json(members: Mapping[str, bytes], name: str) -> Any:
    if name not in members:
        raise FieldError("{!r} is missing".format(name))
    if len(members[name]) > MAX_JSON_BYTES:
        raise FieldError("{!r} is longer than {} bytes".format(name, MAX_JSON_BYTES))
    try:
        return parse_json(members[name])
    except FieldError as error:
        raise FieldError("{}: {}".format(name, error)) from None


def _tensor(content: Any, meta: Mapping[str, Any], member: str) -> np.ndarray:
    """Return a stored tensor, which has to fill its member, in C order."""
    shape = dimensions(meta, "sizes")
    dtype = np.dtype(_DTYPES.get(meta["dtype"], "V"))
    if content is None or dtype.kind == "V":
        raise FieldError("{!r} holds no numbers".format(member))
    elements = 1
    for size in shape:
        elements *= size
    if elements * dtype.itemsize != len(content) or not elements:
        raise FieldError("{!r} holds {} bytes for {}".format(member, len(content), list(shape)))
    if dimensions(meta, "strides") != _strides(shape) or meta["storage_offset"] != {"as_int": 0}:
        raise FieldError("{!r} is not in C order".format(member))
    return np.frombuffer(content, dtype).reshape(shape)


def _strides(shape: Tuple[int, ...]) -> Tuple[int, ...]:
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(1, size)
    return tuple(reversed(strides))


def dump(value: Any) -> bytes:
    """Return JSON as the archive holds it."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii")
