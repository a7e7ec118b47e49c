"""What must be known of a TorchScript file before PyTorch may load it.

Loading TorchScript can run code of the file's, and what the file says of its tensors is believed.
So PyTorch never sees the file: the members that a network needs are read here, each is checked, and
PyTorch gets an archive that is written anew from exactly these (docs/decisions/0013).
"""

import re
from typing import BinaryIO, Dict

from edgenet.runner.archive import read_members, write_archive
from edgenet.runner.fields import FieldError
from edgenet.runner.torchscript_code import check_code
from edgenet.runner.torchscript_tensors import check_tensors

_NEEDED = re.compile(
    r"version|byteorder|data\.pkl|constants\.pkl|(?:data|constants)/[0-9]{1,6}|code/[\w./]+\.py"
)
_PICKLED = ("data", "constants")


def checked_archive(file: BinaryIO) -> bytes:
    """Return a TorchScript file with what was read and checked here, and no more.

    Args:
        file: Open for reading, of a length that the manifest bounds.

    Raises:
        FieldError: It is no such file, or holds what a network does not need.
    """
    found = read_members(file, packed=True)
    members = {name: content for name, content in found.items() if _NEEDED.fullmatch(name)}
    for name, content in members.items():
        if name.endswith(".py"):
            check_code(name, content)
    for folder in _PICKLED:
        name = folder + ".pkl"
        if name not in members:
            raise FieldError("{!r} is missing".format(name))
        storages: Dict[str, bytes] = {
            key[len(folder) + 1 :]: content
            for key, content in members.items()
            if key.startswith(folder + "/")
        }
        check_tensors(name, members[name], storages)
    return write_archive(members)
