"""What a bundle says of itself: the fields of its ``manifest.json``, checked and bounded.

Every number that later decides how much memory is taken is bounded here, so that a hostile
manifest costs nothing more than its own bytes, and those are bounded by the reader.
"""

import hashlib
import json
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Union

from edgenet.errors import CorruptFile
from edgenet.runner.fields import FieldError, Record, integer, text
from edgenet.runner.preprocess import Preprocessing

SCHEMA = "edgenet.bundle/1"
MANIFEST_NAME = "manifest.json"
GOLDEN_NAME = "golden.npz"

FILE_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"  # one component: no separator, no ".."
_WORD_PATTERN = r"[a-z0-9][a-z0-9._+-]{0,63}"
_SHA256_PATTERN = r"[0-9a-f]{64}"

MAX_FILE_BYTES = 1 << 31  # protobuf, and so ONNX, ends at 2 GiB
MAX_FILES = 64  # each is hashed
MAX_DIMENSION = 1 << 16
MAX_PICTURE_ELEMENTS = 1 << 26
MAX_BATCH = 1 << 12
MAX_CLASSES = 100000
MAX_REDUCTION = 1 << 32
MAX_PICTURES = 1 << 31

_PROBABILITIES = "softmax|sigmoid|identity"

Dimension = Union[int, str]


class TensorInfo(NamedTuple):
    """One tensor of the model: its name, NumPy dtype name and shape (``"N"`` is the free batch)."""

    name: str
    dtype: str
    shape: Tuple[Dimension, ...]

    def to_json(self) -> Dict[str, Any]:
        """Return it as plain JSON values."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}


class FileInfo(NamedTuple):
    """What a file of the bundle must be: its SHA-256 in hexadecimal and its length."""

    sha256: str
    size_bytes: int

    def to_json(self) -> Dict[str, Any]:
        """Return it as plain JSON values."""
        return {"sha256": self.sha256, "bytes": self.size_bytes}


class Parent(NamedTuple):
    """The checkpoint the bundle was exported from, and the model's specification."""

    checkpoint_sha256: str
    spec: Mapping[str, Any]

    def to_json(self) -> Dict[str, Any]:
        """Return it as plain JSON values."""
        return {"checkpoint_sha256": self.checkpoint_sha256, "spec": dict(self.spec)}


class SplitAccuracy(NamedTuple):
    """How many of a split's ``n`` pictures were right at export; ``digest`` names the split."""

    correct: int
    n: int
    digest: str

    def to_json(self) -> Dict[str, Any]:
        """Return it as plain JSON values."""
        return {"correct": self.correct, "n": self.n, "digest": self.digest}


class Manifest(NamedTuple):
    """All that is needed to run a bundle, and to know what it is.

    Attributes:
        name: What people call it, such as ``lenet5-relu``.
        format: Which runtimes take it, such as ``onnx``.
        precision: Of the arithmetic, such as ``fp32``.
        target: The target it was made for, or None for any.
        model: The model file's name in the folder.
        input: uint8 [N, C, H, W] pixels (float32 0-255 for targets without uint8 input).
        output: float32 [N, K] logits, larger is better.
        labels: The K class names, in the order of the logits.
        preprocessing: How a picture becomes the input.
        probability: The map from logits to probabilities.
        longest_reduction: The longest sum of products in the network; it bounds rounding errors.
        parent: Where it came from, or None for an imported network.
        accuracy: Per split (``validation``, ``test``) the accuracy at export, or None.
        options: The resolved export options.
        tools: The versions that made it.
        files: Name to hash and length, of every file but the manifest.
    """

    name: str
    format: str
    precision: str
    target: Optional[str]
    model: str
    input: TensorInfo
    output: TensorInfo
    labels: Tuple[str, ...]
    preprocessing: Preprocessing
    probability: str
    longest_reduction: int
    parent: Optional[Parent]
    accuracy: Mapping[str, Optional[SplitAccuracy]]
    options: Mapping[str, Any]
    tools: Mapping[str, str]
    files: Mapping[str, FileInfo]

    @property
    def fixed_batch(self) -> Optional[int]:
        """The only batch size the model takes, or None where it takes any."""
        batch = self.input.shape[0]
        return batch if isinstance(batch, int) else None

    @property
    def picture_shape(self) -> Tuple[int, int, int]:
        """The shape (C, H, W) of one input picture."""
        _, channels, height, width = self.input.shape
        return int(channels), int(height), int(width)

    def to_json(self) -> Dict[str, Any]:
        """Return the content of ``manifest.json`` as plain JSON values."""
        content = {
            "schema": SCHEMA,
            "name": self.name,
            "format": self.format,
            "precision": self.precision,
            "target": self.target,
            "model": self.model,
            "input": self.input.to_json(),
            "output": self.output.to_json(),
            "labels": list(self.labels),
            "preprocessing": self.preprocessing.to_json(),
            "probability": self.probability,
            "longest_reduction": self.longest_reduction,
            "parent": self.parent.to_json() if self.parent else None,
            "accuracy": {
                split: figures.to_json() if figures else None
                for split, figures in self.accuracy.items()
            },
            "options": dict(self.options),
            "tools": dict(self.tools),
            "files": {name: info.to_json() for name, info in self.files.items()},
        }  # type: Dict[str, Any]
        return dict(content, seal=seal_of(content))

    @classmethod
    def from_json(cls, value: Any) -> "Manifest":
        """Read the parsed content of a ``manifest.json``.

        Raises:
            CorruptFile: A field is missing, unknown, out of bounds or contradicts another.
        """
        try:
            return _manifest(value)
        except FieldError as error:
            raise CorruptFile("{}: {}".format(MANIFEST_NAME, error)) from None


def seal_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content, whatever its order, spacing and present seal.

    It tells damage, as the files' hashes do. Who changes a manifest on purpose can seal it anew.
    """
    unsealed = {name: value for name, value in content.items() if name != "seal"}
    text = json.dumps(unsealed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _manifest(value: Any) -> Manifest:
    keys = ("schema", *Manifest._fields, "seal")
    if isinstance(value, dict) and value.get("schema") != SCHEMA:
        schema = repr(value.get("schema"))[:80]
        raise FieldError("schema is {}, this edgenet reads {!r}".format(schema, SCHEMA))
    record = Record(value, "", keys)
    if value["seal"] != seal_of(value):
        raise FieldError("it is not as it was written: its seal does not fit its content")
    manifest = Manifest(
        name=record.text("name", r"[^\x00-\x1f/\\]{1,200}"),
        format=record.text("format", _WORD_PATTERN),
        precision=record.text("precision", _WORD_PATTERN),
        target=record.optional_text("target", _WORD_PATTERN),
        model=record.text("model", FILE_NAME_PATTERN),
        input=_tensor(record, "input", "uint8|float32", rank=4),
        output=_tensor(record, "output", "float32", rank=2),
        labels=_labels(record),
        preprocessing=Preprocessing.from_json(record.raw("preprocessing")),
        probability=record.text("probability", _PROBABILITIES),
        longest_reduction=record.integer("longest_reduction", 1, MAX_REDUCTION),
        parent=_parent(record),
        accuracy=_accuracy(record),
        options=record.mapping("options"),
        tools=record.texts("tools"),
        files=_files(record),
    )
    _check_agreement(manifest)
    return manifest


def _tensor(record: Record, key: str, dtypes: str, rank: int) -> TensorInfo:
    fields = Record(record.raw(key), key, TensorInfo._fields)
    shape = fields.items("shape", longest=rank)
    place = fields.place("shape")
    if len(shape) != rank:
        raise FieldError("{} must have {} dimensions".format(place, rank))
    batch = shape[0] if shape[0] == "N" else integer(shape[0], place + "[0]", 1, MAX_BATCH)
    rest = tuple(
        integer(size, "{}[{}]".format(place, axis), 1, MAX_DIMENSION if rank == 4 else MAX_CLASSES)
        for axis, size in enumerate(shape[1:], start=1)
    )
    elements = 1
    for size in rest:
        elements *= size
    if elements > MAX_PICTURE_ELEMENTS:
        raise FieldError("{} is larger than {} elements".format(place, MAX_PICTURE_ELEMENTS))
    return TensorInfo(
        name=fields.text("name", r"[^\x00-\x1f]{1,200}"),
        dtype=fields.text("dtype", dtypes),
        shape=(batch, *rest),
    )


def _labels(record: Record) -> Tuple[str, ...]:
    return tuple(
        text(label, "labels[{}]".format(position), longest=1000)
        for position, label in enumerate(record.items("labels", longest=MAX_CLASSES))
    )


def _parent(record: Record) -> Optional[Parent]:
    if record.raw("parent") is None:
        return None
    fields = Record(record.raw("parent"), "parent", Parent._fields)
    return Parent(fields.text("checkpoint_sha256", _SHA256_PATTERN), fields.mapping("spec"))


def _accuracy(record: Record) -> Mapping[str, Optional[SplitAccuracy]]:
    splits = Record(record.raw("accuracy"), "accuracy", ("validation", "test"))
    figures: Dict[str, Optional[SplitAccuracy]] = {}
    for split in ("validation", "test"):
        figures[split] = None
        if splits.raw(split) is not None:
            fields = Record(splits.raw(split), splits.place(split), SplitAccuracy._fields)
            n = fields.integer("n", 1, MAX_PICTURES)
            correct = fields.integer("correct", 0, n)
            figures[split] = SplitAccuracy(correct, n, fields.text("digest", _SHA256_PATTERN))
    return figures


def _files(record: Record) -> Mapping[str, FileInfo]:
    files = {}
    listed = record.mapping("files")
    if len(listed) > MAX_FILES:
        raise FieldError("{} lists more than {}".format(record.place("files"), MAX_FILES))
    for name, value in listed.items():
        place = record.place("files")
        text(name, "a name in " + place, FILE_NAME_PATTERN)
        if name == MANIFEST_NAME:
            raise FieldError("{} cannot list {} itself".format(place, MANIFEST_NAME))
        fields = Record(value, "{}[{!r}]".format(place, name), ("sha256", "bytes"))
        files[name] = FileInfo(
            fields.text("sha256", _SHA256_PATTERN), fields.integer("bytes", 1, MAX_FILE_BYTES)
        )
    return files


def _check_agreement(manifest: Manifest) -> None:
    """Refuse fields that are acceptable alone but contradict each other."""
    for name in (manifest.model, GOLDEN_NAME):
        if name not in manifest.files:
            raise FieldError("files does not list {!r}".format(name))
    if manifest.output.shape[1] != len(manifest.labels):
        message = "labels has {} names for {} outputs"
        raise FieldError(message.format(len(manifest.labels), manifest.output.shape[1]))
    if manifest.input.shape[0] != manifest.output.shape[0]:
        raise FieldError("input and output differ in their batch")
    declared = manifest.preprocessing
    channels = 1 if declared.mode == "L" else 3
    if manifest.picture_shape != (channels, declared.height, declared.width):
        message = "preprocessing makes pictures of {}, input takes {}"
        made = [channels, declared.height, declared.width]
        raise FieldError(message.format(made, list(manifest.picture_shape)))
