"""PyTorch's errors about a file, told in one line."""

from pathlib import Path

from edgenet.errors import CorruptFile, EdgenetError

_NO_MEMORY = "can't allocate memory"
_LONGEST = 300


def explained(path: Path, what: str, error: Exception, line: int = 0) -> EdgenetError:
    """Return the error to raise instead.

    Args:
        path: The file.
        what: What is wrong with it, such as ``does not run``.
        error: PyTorch's.
        line: The line of its message that says most; -1 for the last.

    Returns:
        A `CorruptFile`, but where memory ran out: that is no fault of the file's.
    """
    text = str(error).strip()
    if _NO_MEMORY in text or isinstance(error, MemoryError):
        message = "there is not enough memory to run {}"
        return EdgenetError(message.format(path), "a smaller batch needs less")
    said = text.split("\n")[line][:_LONGEST] or type(error).__name__
    return CorruptFile("{} {}: {}".format(path, what, said))
