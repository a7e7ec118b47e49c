"""Which device a name stands for, and whether it is there."""

from __future__ import annotations

import re

import torch

from edgenet.errors import NotPossible, UsageError


def resolve_device(name: str, *, local_rank: int = 0) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` stands for here.

    Args:
        name: ``auto`` takes the first CUDA device where there is one, else the CPU.
        local_rank: Among several processes on this machine, each takes the CUDA device that is so
            many after the one that is named.

    Raises:
        UsageError: The name is none of these.
        NotPossible: The CUDA device is not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}", "use auto, cpu, cuda or cuda:N")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    index = int(name.partition(":")[2] or 0) + local_rank
    found = torch.cuda.device_count()
    if index >= found:
        raise NotPossible(
            f"device cuda:{index} is not here: PyTorch sees {found} CUDA devices",
            "use --device cpu",
        )
    return torch.device("cuda", index)
