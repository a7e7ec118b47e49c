"""Engine bundles: a plan, the ONNX file that it was built from, and where it can be loaded.

Such a bundle is made of an ONNX bundle, on the machine that builds the engine, and so by a board's
own Python, too. What it says of labels, pictures and accuracy is the ONNX bundle's.
"""

import io
import json
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

import edgenet
from edgenet.errors import CorruptFile, UsageError
from edgenet.files import new_folder_atomically, sha256_of
from edgenet.runner.bundle import GOLDEN_NAME, MANIFEST_NAME, Bundle, open_bundle
from edgenet.runner.fields import FieldError, Record
from edgenet.runner.manifest import FileInfo, Manifest
from edgenet.runner.tensorrt.library import CLASSIC, RTX
from edgenet.runner.tensorrt.plan import Machine, check_claim

SOURCE_NAME = "model.onnx"
"""Of the ONNX file in an engine bundle."""

SCRIPT_NAME = "build.sh"
"""Of the script in a bundle that holds only what builds an engine on its board."""

OPTION = "engine"
"""Name of the manifest's option that says what the engine is bound to."""

FORMATS = {CLASSIC: "engine", RTX: "rtx"}
"""The format of a bundle by the library that built it."""

_FILE_NAMES = {CLASSIC: "model.engine", RTX: "model.rtx"}

Answer = Callable[[Bundle], np.ndarray]


class EnginePlan(NamedTuple):
    """A plan and what is to be said of it.

    Attributes:
        plan: The serialized engine.
        machine: What it is bound to.
        batches: Smallest, best and largest batch; None for a network of one batch size.
        details: More values of the manifest's option, plain JSON: layers, seconds and the like.
    """

    plan: bytes
    machine: Machine
    batches: Optional[Tuple[int, int, int]]
    details: Mapping[str, Any]


def engine_manifest(
    source: Manifest, built: EnginePlan, *, target: Optional[str], was_run: bool
) -> Manifest:
    """Return the manifest of an engine bundle, but for its files.

    Args:
        source: Of the ONNX bundle.
        built: The engine.
        target: What it was made for; None takes the source's.
        was_run: The golden logits are the engine's own, and not its ONNX file's.
    """
    library = built.machine.library
    option = dict(
        built.details,
        built=True,
        was_run=was_run,
        key=built.machine.to_json(),
        batches=None if built.batches is None else list(built.batches),
        source_sha256=source.files[source.model].sha256,
    )
    return source._replace(
        format=FORMATS[library],
        target=target or source.target,
        model=_FILE_NAMES[library],
        options=dict(source.options, **{OPTION: option}),
        tools=dict(source.tools, edgenet=edgenet.__version__, **{library: built.machine.version}),
        files={},
    )


def write_engine_bundle(
    source: Bundle,
    built: EnginePlan,
    path: Path,
    *,
    target: Optional[str] = None,
    overwrite: bool = False,
    answer: Optional[Answer] = None,
) -> Bundle:
    """Write an engine bundle, all of it at once.

    Args:
        source: The ONNX bundle that the engine was built from.
        built: The engine.
        path: The folder to appear.
        target: What it was made for; None takes the source's.
        overwrite: Replace a folder that is there.
        answer: Runs the engine on the golden inputs; its logits float32 [n, K] become the golden
            ones. None keeps the ONNX file's own, where nothing here runs the engine.

    Raises:
        UsageError: ``path`` exists, or ``source`` is no ONNX bundle.
        CorruptFile: The source was changed, or the plan is no plan.
        EdgenetError: The place cannot be written, or the engine cannot be run.
    """
    check_source(source)
    check_claim(built.plan, built.machine, "what was built from {}".format(source.model_path))
    manifest = engine_manifest(source.manifest, built, target=target, was_run=answer is not None)
    contents = {
        manifest.model: built.plan,
        SOURCE_NAME: source.model_content(),
        GOLDEN_NAME: _arrays(source.golden()),
    }
    with new_folder_atomically(path, overwrite) as folder:
        _write(folder, manifest, contents)
        if answer is not None:
            staged = open_bundle(folder)
            logits = np.ascontiguousarray(answer(staged), dtype=np.float32)
            golden = dict(staged.golden(), logits=logits)
            _write(folder, manifest, dict(contents, **{GOLDEN_NAME: _arrays(golden)}))
    return open_bundle(path)


def write_copy(
    source: Bundle,
    manifest: Manifest,
    more: Mapping[str, bytes],
    path: Path,
    *,
    overwrite: bool = False,
) -> Bundle:
    """Write an ONNX bundle again, with another manifest and more files.

    Args:
        source: The ONNX bundle.
        manifest: The new one's, but for its files.
        more: Content by name of files beside the bundle's own.
        path: The folder to appear.
        overwrite: Replace a folder that is there.

    Raises:
        UsageError: ``path`` exists, or ``source`` is no ONNX bundle.
        CorruptFile: The source was changed.
        EdgenetError: The place cannot be written.
    """
    check_source(source)
    own = {SOURCE_NAME: source.model_content(), GOLDEN_NAME: _arrays(source.golden())}
    with new_folder_atomically(path, overwrite) as folder:
        _write(folder, manifest._replace(model=SOURCE_NAME), dict(more, **own))
    return open_bundle(path)


def check_source(bundle: Bundle) -> None:
    """Refuse a bundle that no engine is built from.

    Raises:
        UsageError: It is not an ONNX bundle.
    """
    if bundle.manifest.format != "onnx":
        message = "{} is of format {}, and an engine is built from ONNX"
        raise UsageError(
            message.format(bundle.path, bundle.manifest.format), "name the ONNX bundle"
        )


def is_plan_only(options: Mapping[str, Any]) -> bool:
    """Whether a manifest's options are those of a bundle whose engine is yet to be built."""
    option = options.get(OPTION)
    return isinstance(option, dict) and option.get("built") is False


def source_of(bundle: Bundle) -> Bundle:
    """Return an engine bundle's ONNX file as a bundle; any other bundle is its own source."""
    manifest = bundle.manifest
    if manifest.format not in FORMATS.values() or SOURCE_NAME not in manifest.files:
        return bundle
    return Bundle(bundle.path, manifest._replace(format="onnx", model=SOURCE_NAME))


def machine_in(bundle: Bundle) -> Machine:
    """Return what an engine bundle says that its engine is bound to.

    Raises:
        CorruptFile: It says nothing, nothing that can be understood, or a library whose engines
            are of another format than the bundle's.
    """
    place = "options." + OPTION
    option = bundle.manifest.options.get(OPTION)
    try:
        record = Record(option, place, ("key",), tuple(option if isinstance(option, dict) else ()))
        machine = Machine.from_json(record.raw("key"), place + ".key")
    except FieldError as error:
        raise CorruptFile("{}: {}".format(bundle.path / MANIFEST_NAME, error)) from None
    if FORMATS[machine.library] != bundle.manifest.format:
        message = "{}: {}.key.library must not be {} where the format is {}"
        said = (place, machine.library, bundle.manifest.format)
        raise CorruptFile(message.format(bundle.path / MANIFEST_NAME, *said))
    return machine


def _write(folder: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    files: Dict[str, FileInfo] = {}
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        files[name] = FileInfo(sha256_of(path), len(content))
    text = json.dumps(manifest._replace(files=files).to_json(), indent=2, ensure_ascii=False)
    (folder / MANIFEST_NAME).write_bytes((text + "\n").encode("utf-8"))


def _arrays(golden: Mapping[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    arrays: Dict[str, Any] = dict(golden)
    np.savez(file, **arrays)
    return file.getvalue()
