"""Write the name tables of TensorRT's Python API, one JSON file a version, from NVIDIA's wheels.

``python tests/contract/tensorrt_api/regenerate.py`` downloads the bindings (1 MB each, no GPU and
no TensorRT needed), builds ``stub.c`` with ``cc`` in TensorRT's place, imports them with a Python
that they have a wheel for, and lists the names of the classes in `CLASSES`. TensorRT for RTX is
read from where it is installed.

TensorRT 8.2 and 8.5 have no wheel of the bindings. Their tables were transcribed from the bindings'
source (github.com/NVIDIA/TensorRT, ``python/src``) for the classes that are listed there; this
script leaves them alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

WHEELS = {
    "8.6": "tensorrt-bindings==8.6.1",
    "10.3": "tensorrt-cu12-bindings==10.3.0",
    "10.13": "tensorrt-cu12-bindings==10.13.3.9",
    "11.4": "tensorrt-cu12-bindings==11.4.0.106",
}
PYTHON = "3.10"
"""Every one of these has a wheel for it."""

LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser", "nvparsers")
CLASSES = (
    *("Builder", "BuilderFlag", "DataType", "EngineInspector", "IBuilderConfig", "ICudaEngine"),
    *("IExecutionContext", "IHostMemory", "ILayer", "ILogger", "INetworkDefinition"),
    *("IOptimizationProfile", "ITensor", "ITimingCache", "LayerInformationFormat", "LayerType"),
    *("Logger", "MemoryPoolType", "NetworkDefinitionCreationFlag", "OnnxParser", "ParserError"),
    *("ProfilingVerbosity", "Runtime", "TacticSource", "TensorIOMode"),
)

_LIST = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
names = {}
for name in sys.argv[2:]:
    found = getattr(module, name, None)
    if found is not None:
        names[name] = sorted(each for each in dir(found) if not each.startswith("_"))
print(json.dumps([module.__version__, names]))
"""


def main() -> None:
    """Write every table whose names can be read."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for version, requirement in WHEELS.items():
            place = _unpack(requirement, work / version)
            environment = {"PYTHONPATH": str(place), "LD_LIBRARY_PATH": str(_stub(place, version))}
            _write(
                version, requirement, _names(f"python{PYTHON}", "tensorrt_bindings", environment)
            )
    _write("rtx", "tensorrt-rtx-cu12", _names(sys.executable, "tensorrt_rtx", {}))


def _unpack(requirement: str, place: Path) -> Path:
    options = ["--no-deps", "--quiet", "--only-binary", ":all:", "--python-version", PYTHON]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(place), requirement]
    subprocess.run(command, check=True)
    for wheel in place.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
    return place


def _stub(place: Path, version: str) -> Path:
    """Build the stub once, under every name that the bindings ask the loader for."""
    folder = place / "stub"
    folder.mkdir()
    built = folder / "stub.so"
    command = ["cc", "-shared", "-fPIC", "-o", str(built), str(HERE / "stub.c")]
    subprocess.run(command, check=True)
    for name in LIBRARIES:
        shutil.copy(built, folder / f"lib{name}.so.{version.partition('.')[0]}")
    return folder


def _names(python: str, module: str, variables: dict[str, str]) -> tuple[str, dict[str, list[str]]]:
    """Return the version and the names by class, as another interpreter sees them."""
    result = subprocess.run(
        [python, "-W", "ignore", "-c", _LIST, module, *CLASSES],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    version, names = json.loads(result.stdout)
    return version, names


def _write(label: str, requirement: str, found: tuple[str, dict[str, list[str]]]) -> None:
    version, names = found
    source = f"PyPI, {requirement.partition('==')[0]} {version}, imported over stub.c"
    if label == "rtx":
        source = f"PyPI, {requirement} {version}"
    rows = [f"    {json.dumps(name)}: {json.dumps(names[name])}" for name in sorted(names)]
    head = f'{{\n  "version": {json.dumps(version)},\n  "source": {json.dumps(source)},\n'
    text = head + '  "names": {\n' + ",\n".join(rows) + "\n  }\n}\n"
    (HERE / f"{label}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
