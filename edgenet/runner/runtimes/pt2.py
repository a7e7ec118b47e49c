"""``.pt2`` bundles (``torch.export``) on PyTorch's CPU backend.

Like TorchScript, this runtime needs torch, which is imported by the first call and never by
importing this module. PyTorch is not given the file, but an archive written anew from what
`edgenet.runner.pt2_file` has read and checked.
"""

import contextlib
import io
import logging
from typing import Any, Iterator

from edgenet.errors import CorruptFile
from edgenet.runner import torch_library
from edgenet.runner.bundle import Bundle
from edgenet.runner.fields import FieldError
from edgenet.runner.pt2_file import Pt2, check_version, read_pt2
from edgenet.runner.runtimes import check_device
from edgenet.runner.torch_errors import explained
from edgenet.runner.torch_session import TorchSession

FORMATS = ("pt2",)
CLOCKS = ("host",)
unavailable, versions = torch_library.unavailable, torch_library.versions


def open_session(bundle: Bundle, threads: int, device: str) -> TorchSession:
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
    torch = torch_library.library()
    check_version(str(torch.__version__))
    torch.set_num_threads(threads)
    return TorchSession(bundle, torch, _load(torch, checked, bundle))


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
