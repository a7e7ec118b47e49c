"""TorchScript bundles on PyTorch's CPU backend.

Like ``.pt2``, this runtime needs torch, which is imported by the first call and never by importing
this module. PyTorch is not given the file, but an archive written anew from what
`edgenet.runner.torchscript_file` has read and checked. PyTorch has deprecated TorchScript in favour
of ``torch.export``; loading old files remains supported, so its warning about that, and no other,
is silenced here.
"""

import importlib.util
import io
import warnings
from typing import Any, Dict, Optional

import numpy as np

from edgenet.errors import CorruptFile, NotPossible
from edgenet.runner.bundle import Bundle
from edgenet.runner.fields import FieldError
from edgenet.runner.runtimes import check_device
from edgenet.runner.torch_errors import explained
from edgenet.runner.torchscript_file import checked_archive

FORMATS = ("torchscript",)
CLOCKS = ("host",)

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
        """Run the network on what is bound.

        Raises:
            CorruptFile: The module does not run, or not to what its manifest promises.
            EdgenetError: There is not enough memory.
        """
        with self._torch.inference_mode():
            if self._checked:
                self._logits = self._module(self._images)
                return
            try:
                self._logits = self._module(self._images)
            except RuntimeError as error:
                raise explained(self._path, "does not run", error, line=-1) from error
            self._check_logits()

    def fetch(self) -> np.ndarray:
        """Return the logits float32 [N, K], valid until the next bind."""
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
    content = _checked(bundle)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_DEPRECATED)
        try:
            return torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
        except RuntimeError as error:
            raise explained(bundle.model_path, "is not TorchScript", error) from error


def _checked(bundle: Bundle) -> bytes:
    """Return the model as an archive that holds what was read and checked, and no more."""
    try:
        return checked_archive(io.BytesIO(bundle.model_content()))
    except FieldError as error:
        raise CorruptFile("{} is not TorchScript: {}".format(bundle.model_path, error)) from None
