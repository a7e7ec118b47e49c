"""Plans: serialized engines, which run where they were built and nowhere else.

A plan is bound to the version of TensorRT, to the GPU's compute capability and to the driver. That
is its key: it lies in a bundle's manifest, so that a runtime can refuse a plan of another machine
before TensorRT reads it, and it names the plan in the cache, so that another version or another
network makes another plan.
"""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from edgenet.errors import CorruptFile, NotPossible
from edgenet.files import cache_root, write_atomically, write_text
from edgenet.runner.fields import FieldError, Record, parse_json
from edgenet.runner.tensorrt.builder import DEFAULTS, BuildOptions, Built, build_plan
from edgenet.runner.tensorrt.library import (
    CLASSIC,
    RTX,
    TITLES,
    Library,
    version_numbers,
    version_of,
)

KEY_FIELDS = ("library", "version", "compute_capability", "driver")
MAX_PLAN_BYTES = 1 << 31

_MAGIC = {b"ftrt": CLASSIC, b"vtrt": RTX}
_MAGIC_OF = 10  # the major version of the classic library whose header is known
_VERSION_AT = 24
_HEADER_BYTES = 28
_MAX_ENTRY_BYTES = 1 << 16


class Machine(NamedTuple):
    """What a plan is bound to, as it is here.

    Attributes:
        library: ``tensorrt`` or ``tensorrt_rtx``.
        version: Of the library, such as ``8.2.1.8``.
        compute_capability: Of the GPU, such as ``5.3``; None for a plan that runs on several, or
            where there is no GPU.
        driver: The newest CUDA that the driver serves, such as ``10.2``; None likewise.
    """

    library: str
    version: str
    compute_capability: Optional[str] = None
    driver: Optional[str] = None

    @property
    def title(self) -> str:
        """What reports call it, such as ``TensorRT 8.2.1.8, compute capability 5.3``."""
        words = ["{} {}".format(TITLES.get(self.library, self.library), self.version)]
        if self.compute_capability is not None:
            words.append("compute capability {}".format(self.compute_capability))
        if self.driver is not None:
            words.append("a driver for CUDA {}".format(self.driver))
        return ", ".join(words)

    def to_json(self) -> Dict[str, Optional[str]]:
        """Return it as plain JSON values: what a manifest has as ``options.engine.key``."""
        return {name: getattr(self, name) for name in KEY_FIELDS}

    @classmethod
    def from_json(cls, value: Any, place: str) -> "Machine":
        """Read a key.

        Raises:
            FieldError: A field is missing, unknown or not text.
        """
        record = Record(value, place, KEY_FIELDS)
        return cls(
            record.text("library", "|".join(TITLES)),
            record.text("version", r"\d+(\.\w+){1,5}"),
            record.optional_text("compute_capability", r"\d{1,2}\.\d"),
            record.optional_text("driver", r"\d{1,3}\.\d{1,2}"),
        )


def machine_of(library: Library, device: int = 0) -> Machine:
    """Return what a plan that is built here is bound to.

    Engines of TensorRT for RTX are made for every GPU from Ampere on, and finished by the driver
    when they are loaded: they are bound to the library's version alone.

    Raises:
        NotPossible: The library needs a GPU, and there is none.
    """
    if not library.needs_gpu:
        return Machine(library.name, library.version)
    from edgenet.runner.cuda import Cuda

    cuda = Cuda(device)
    capability = "{}.{}".format(*cuda.compute_capability())
    return Machine(library.name, library.version, capability, cuda.driver_version())


def check_machine(built: Machine, here: Machine) -> None:
    """Refuse a plan of another machine; a value that the plan is not bound to is not compared.

    Raises:
        NotPossible: It cannot run here.
    """
    for name in KEY_FIELDS:
        wanted, found = getattr(built, name), getattr(here, name)
        if wanted is not None and wanted != found:
            raise NotPossible(
                "the engine was built for {}; here is {}".format(built.title, here.title),
                "engines are built on the machine that runs them: build it again here with "
                "python3 -m edgenet.runner build",
            )


class PlanHeader(NamedTuple):
    """What a plan says of itself: the library that wrote it and its version."""

    library: str
    version: Tuple[int, int, int, int]


def read_header(plan: bytes) -> Optional[PlanHeader]:
    """Read a plan's first bytes; None where they are of no form that is known.

    TensorRT for RTX and classic TensorRT 10 write four letters, and at 24 to 27 one byte each for
    major, minor, patch and build; a build number above 255 does not fit and is cut off.
    """
    library = _MAGIC.get(bytes(plan[:4]))
    if library is None or len(plan) < _HEADER_BYTES:
        return None
    major, minor, patch, build = struct.unpack_from("<4B", plan, _VERSION_AT)
    return PlanHeader(library, (major, minor, patch, build))


def check_header(plan: bytes, library: Library, place: str) -> None:
    """Refuse a plan that this library did not write, before it is given to native code.

    Plans of TensorRT 8 and 11 have no header that is known: there, only the others' are told apart.

    Args:
        plan: The plan.
        library: What is to load it.
        place: Names the plan in messages.

    Raises:
        CorruptFile: It is no plan.
        NotPossible: Another library or another version wrote it.
    """
    wrote = _other_author(plan, library.name, library.version, place)
    if wrote is not None:
        raise NotPossible(
            "{} was written by {}; here is {}".format(place, wrote, library.title),
            "build it again with the version that is here",
        )


def check_claim(plan: bytes, machine: Machine, place: str) -> None:
    """Compare what a plan says of itself with what is said of it; nothing is loaded for that.

    Args:
        plan: The plan.
        machine: What it is said to be bound to.
        place: Names the plan in messages.

    Raises:
        CorruptFile: It is no plan, or that of another library or version.
    """
    wrote = _other_author(plan, machine.library, machine.version, place)
    if wrote is not None:
        said = "{} {}".format(TITLES[machine.library], machine.version)
        raise CorruptFile("{} was written by {}, and not by {}".format(place, wrote, said))


def _other_author(plan: bytes, name: str, version: str, place: str) -> Optional[str]:
    """Return None, or what else than this library in this version wrote a plan.

    Raises:
        CorruptFile: It is no plan.
    """
    header = read_header(plan)
    numbers = version_numbers(version)[:3]
    unknown = name == CLASSIC and numbers[0] != _MAGIC_OF
    if header is None:
        if unknown and len(plan) >= _HEADER_BYTES:
            return None
        raise CorruptFile("{} is no engine of {}".format(place, TITLES[name]))
    if header.library == name:
        if unknown and header.version[0] != _MAGIC_OF:
            return None
        if header.version[: len(numbers)] == numbers:
            return None
    return "{} {}.{}.{}".format(TITLES[header.library], *header.version)


class CachedPlan(NamedTuple):
    """A plan, from the cache or built just now.

    Attributes:
        plan: The serialized engine; None where it could not be built.
        machine: What it is bound to.
        built: What the builder said; None where the plan was found.
    """

    plan: Optional[bytes]
    machine: Machine
    built: Optional[Built]


def cached_plan(
    module: Any,
    content: bytes,
    options: BuildOptions = DEFAULTS,
    machine: Optional[Machine] = None,
    folder: Optional[Path] = None,
) -> CachedPlan:
    """Return the plan of an ONNX file for this machine, built where there is none.

    Plans lie in ``$XDG_CACHE_HOME/edgenet/plans`` beside a JSON file with their key and hash.
    Whatever of the key differs (library, version, GPU, driver, network, options) is another plan;
    one that is damaged is built again. Kernels' times are kept there, too.

    Args:
        module: The library, see `edgenet.runner.tensorrt.library.load`.
        content: The ONNX file.
        options: What to build for; its timing cache, if it names none, is the folder's own.
        machine: What is here; by default that is asked of CUDA.
        folder: Where plans lie.

    Raises:
        NotPossible: The library needs a GPU, and there is none.
        EdgenetError: The folder cannot be written.
    """
    library = version_of(module)
    machine = machine_of(library) if machine is None else machine
    folder = cache_root() / "plans" if folder is None else folder
    key = _key(machine, content, options)
    stem = hashlib.sha256(json.dumps(key, sort_keys=True).encode("ascii")).hexdigest()[:32]
    path = folder / (stem + ".plan")
    found = _found(path, key)
    if found is not None:
        return CachedPlan(found, machine, None)
    if options.timing_cache is None:
        name = "{}-{}-{}.timing".format(library.name, library.version, machine.compute_capability)
        options = options._replace(timing_cache=folder / name)
    built = build_plan(module, content, options)
    if built.plan is not None:
        with write_atomically(path) as file:
            file.write(built.plan)
        entry = {"key": key, "sha256": _digest(built.plan)}
        write_text(_entry_of(path), json.dumps(entry, indent=2, sort_keys=True) + "\n")
    return CachedPlan(built.plan, machine, built)


def _key(machine: Machine, content: bytes, options: BuildOptions) -> Dict[str, Any]:
    return {
        "machine": machine.to_json(),
        "model_sha256": _digest(content),
        "batches": list(options.batches),
        "workspace_bytes": options.workspace_bytes,
        "without_cublas_cudnn": options.without_cublas_cudnn,
    }


def _found(path: Path, key: Mapping[str, Any]) -> Optional[bytes]:
    """Return a plan of the cache if it is whole and of this key."""
    try:
        raw = _read(_entry_of(path), _MAX_ENTRY_BYTES)
        plan = _read(path, MAX_PLAN_BYTES)
        entry = None if raw is None else parse_json(raw)
    except (OSError, FieldError):
        return None
    if plan is None or not isinstance(entry, dict) or entry.get("key") != key:
        return None
    return plan if entry.get("sha256") == _digest(plan) else None


def _read(path: Path, most: int) -> Optional[bytes]:
    """Return a file's content; None where it is longer than anything that was written there."""
    with open(str(path), "rb") as file:
        return file.read(most) if os.fstat(file.fileno()).st_size <= most else None


def _entry_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
