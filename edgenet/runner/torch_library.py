"""PyTorch itself: imported by the first call, and never by importing this module."""

import importlib.util
from typing import Any, Dict, Optional

from edgenet.errors import NotPossible


def unavailable() -> Optional[str]:
    """Return None, or why PyTorch cannot run anything here."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    return None


def versions() -> Dict[str, str]:
    """Load PyTorch and return its version."""
    return {"torch": str(library().__version__)}


def library() -> Any:
    """Import torch.

    Raises:
        NotPossible: It is not installed, or its own libraries do not load here.
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        hint = "its formats run on PyTorch alone; `edgenet export --format onnx` needs no torch"
        raise NotPossible("torch cannot be loaded: {}".format(error), hint) from error
    return torch
