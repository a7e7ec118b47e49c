"""TorchScript bundles on PyTorch's CPU backend.

Like ``.pt2``, this runtime needs torch, which is imported by the first call and never by importing
this module. PyTorch is not given the file, but an archive written anew from what
`edgenet.runner.torchscript_file` has read and checked. PyTorch has deprecated TorchScript in favour
of ``torch.export``; loading old files remains supported, so its warning about that, and no other,
is silenced here.
"""

import io
import warnings
from typing import Any

from edgenet.errors import CorruptFile
from edgenet.runner import torch_library
from edgenet.runner.bundle import Bundle
from edgenet.runner.fields import FieldError
from edgenet.runner.runtimes import check_device
from edgenet.runner.torch_errors import explained
from edgenet.runner.torch_session import TorchSession
from edgenet.runner.torchscript_file import checked_archive

FORMATS = ("torchscript",)
CLOCKS = ("host",)
unavailable, versions = torch_library.unavailable, torch_library.versions

_DEPRECATED = r"`torch\.jit\.\w+` is (deprecated|not supported in Python 3\.14\+)"


def open_session(bundle: Bundle, threads: int, device: str) -> TorchSession:
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
    torch = torch_library.library()
    torch.set_num_threads(threads)
    return TorchSession(bundle, torch, _load(torch, bundle), reason_line=-1)


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
