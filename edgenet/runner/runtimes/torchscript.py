"""TorchScript bundles on PyTorch's CPU backend.

The one runtime of this half that needs torch, which is imported by the first call and never by
importing this module. PyTorch has deprecated TorchScript in favour of ``torch.export``; loading
old files remains supported, so its warning about that, and no other, is silenced here.
"""

import importlib.util
import warnings
import zipfile
from typing import Any, Dict, Optional

import numpy as np

from edgenet.errors import CorruptFile, NotPossible
from edgenet.runner.bundle import Bundle
from edgenet.runner.runtimes import check_device

FORMATS = ("torchscript",)
CLOCKS = ("host",)

MAX_UNPACKED_BYTES = 1 << 31
_MAX_RATIO = 100  # of a member's unpacked length to its packed one; code packs 3 to 10 times
_DEPRECATED = r"`torch\.jit\.\w+` is (deprecated|not supported in Python 3\.14\+)"


def unavailable() -> Optional[str]:
    """Return None, or why TorchScript cannot run here."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    return None


def versions() -> Dict[str, str]:
    """Load PyTorch and return its version."""
    return {"torch": str(_library().__version__)}


def open_session(bundle: Bundle, threads: int, device: str) -> "TorchScriptSession":
    """Load a TorchScript bundle.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: How many threads share the work of one operator; for this whole process.
        device: ``cpu``.

    Raises:
        NotPossible: There is no torch here, or the device is another.
        CorruptFile: The model is not TorchScript.
    """
    check_device(device)
    _check_archive(bundle)
    return TorchScriptSession(bundle, threads)


class TorchScriptSession:
    """One loaded module with an input tensor of its own."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self.options = {}  # type: Dict[str, str]
        self._torch = _library()
        self._torch.set_num_threads(threads)
        self._path = bundle.model_path
        self._module = _load(self._torch, bundle)
        self._dtype = getattr(self._torch, bundle.manifest.input.dtype)
        self._classes = bundle.manifest.output.shape[1]
        self._images = self._torch.empty(0, dtype=self._dtype)
        self._view = self._images.numpy()
        self._logits: Any = None
        self._checked = False  # the output, for this shape of the input

    def bind(self, images: np.ndarray) -> None:
        """Copy pictures uint8 [N, C, H, W] to the module's input."""
        if images.shape != self._view.shape:
            self._images = self._torch.empty(images.shape, dtype=self._dtype)
            self._view = self._images.numpy()
            self._checked = False
        np.copyto(self._view, images)

    def execute(self) -> None:
        """Run the network on what is bound."""
        with self._torch.inference_mode():
            self._logits = self._module(self._images)

    def fetch(self) -> np.ndarray:
        """Return the logits float32 [N, K], valid until the next bind.

        Raises:
            CorruptFile: The module does not give the tensor that its manifest promises.
        """
        if not self._checked:
            self._check_logits()
        logits: np.ndarray = self._logits.numpy()
        return logits

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return the logits float32 [N, K] of pictures uint8 [N, C, H, W]."""
        self.bind(images)
        self.execute()
        return np.array(self.fetch())

    def _check_logits(self) -> None:
        shape = (len(self._view), self._classes)
        given = self._logits
        if getattr(given, "shape", None) != shape or given.dtype is not self._torch.float32:
            raise CorruptFile("{} does not give float32 {}".format(self._path, list(shape)))
        self._checked = True

    def close(self) -> None:
        """Give the module's memory back."""
        self._module = None
        self._logits = None


def _library() -> Any:
    """Import torch.

    Raises:
        NotPossible: It is not installed, or its own libraries do not load here.
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        hint = "TorchScript runs on PyTorch alone; `edgenet export --format onnx` needs no torch"
        raise NotPossible("torch cannot be loaded: {}".format(error), hint) from error
    return torch


def _load(torch: Any, bundle: Bundle) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_DEPRECATED)
        try:
            return torch.jit.load(str(bundle.model_path), map_location="cpu").eval()
        except RuntimeError as error:
            first_line = str(error).strip().split("\n")[0]
            message = "{} is not TorchScript: {}".format(bundle.model_path, first_line)
            raise CorruptFile(message) from error


def _check_archive(bundle: Bundle) -> None:
    """Refuse an archive that unpacks to far more than it is."""
    try:
        with zipfile.ZipFile(str(bundle.model_path)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CorruptFile("{} is not TorchScript: {}".format(bundle.model_path, error)) from None
    swollen = [entry for entry in entries if entry.file_size > _MAX_RATIO * entry.compress_size]
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED_BYTES or any(entry.file_size > 1 << 20 for entry in swollen):
        raise CorruptFile("{} unpacks to {} bytes".format(bundle.model_path, total))
