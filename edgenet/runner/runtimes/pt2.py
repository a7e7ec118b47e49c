"""``.pt2`` bundles (``torch.export``) on PyTorch's CPU backend.

Like TorchScript, this runtime needs torch, which is imported by the first call and never by
importing this module. PyTorch is not given the file, but an archive written anew from what
`edgenet.runner.pt2_file` has read and checked.
"""

import contextlib
import importlib.util
import io
import logging
from typing import Any, Dict, Iterator, Optional

import numpy as np

from edgenet.errors import CorruptFile, NotPossible
from edgenet.runner.bundle import Bundle
from edgenet.runner.fields import FieldError
from edgenet.runner.pt2_file import Pt2, check_version, read_pt2
from edgenet.runner.runtimes import check_device
from edgenet.runner.torch_errors import explained

FORMATS = ("pt2",)
CLOCKS = ("host",)


def unavailable() -> Optional[str]:
    """Return None, or why a ``.pt2`` file cannot run here."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    return None


def versions() -> Dict[str, str]:
    """Load PyTorch and return its version."""
    return {"torch": str(_library().__version__)}


def open_session(bundle: Bundle, threads: int, device: str) -> "Pt2Session":
    """Load a ``.pt2`` bundle.

    Args:
        bundle: Opened, so that its files are known to be whole.
        threads: How many threads share the work of one operator; for this whole process.
        device: ``cpu``.

    Raises:
        NotPossible: There is no torch here, it is older than 2.9, or the device is another.
        CorruptFile: The model is no ``.pt2`` file, or asks for more than to run a network.
    """
    check_device(device)
    checked = _read(bundle)
    torch = _library()
    check_version(str(torch.__version__))
    return Pt2Session(bundle, checked, torch, threads)


class Pt2Session:
    """One loaded module with an input tensor of its own."""

    def __init__(self, bundle: Bundle, checked: Pt2, torch: Any, threads: int) -> None:
        self.options = {}  # type: Dict[str, str]
        self._torch = torch
        self._torch.set_num_threads(threads)
        self._path = bundle.model_path
        self._module = _load(torch, checked, bundle)
        self._dtype = getattr(torch, bundle.manifest.input.dtype)
        self._classes = bundle.manifest.output.shape[1]
        self._images = torch.empty(0, dtype=self._dtype)
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
            CorruptFile: The file does not take or give what its manifest promises, or its program
                does not run.
            EdgenetError: There is not enough memory.
        """
        with self._torch.inference_mode():
            if self._checked:
                self._logits = self._module(self._images)
                return
            try:
                self._logits = self._module(self._images)
            except Exception as error:  # whatever the program does wrong
                raise explained(self._path, "does not run", error) from error
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

    def close(self) -> None:
        """Give the module's memory back."""
        self._module = None
        self._logits = None

    def _check_logits(self) -> None:
        shape = (len(self._view), self._classes)
        given = self._logits
        if getattr(given, "shape", None) != shape or given.dtype is not self._torch.float32:
            raise CorruptFile("{} does not give float32 {}".format(self._path, list(shape)))
        self._checked = True


def _library() -> Any:
    """Import torch.

    Raises:
        NotPossible: It is not installed, or its own libraries do not load here.
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        hint = "a .pt2 file runs on PyTorch alone; `edgenet export --format onnx` needs no torch"
        raise NotPossible("torch cannot be loaded: {}".format(error), hint) from error
    return torch


def _read(bundle: Bundle) -> Pt2:
    content = bundle.model_content()
    try:
        return read_pt2(io.BytesIO(content))
    except FieldError as error:
        raise CorruptFile("{}: {}".format(bundle.model_path, error)) from None


def _load(torch: Any, checked: Pt2, bundle: Bundle) -> Any:
    with _silent():
        try:
            return torch.export.load(io.BytesIO(checked.archive())).module()
        except Exception as error:  # its exceptions share no base class of their own
            raise explained(bundle.model_path, "is not a program that loads", error) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep PyTorch from logging a page about a file that is refused in one line anyway."""
    logger = logging.getLogger("torch.export")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
