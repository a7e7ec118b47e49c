"""What kernels took on this machine, kept in a file from one build to the next.

A build that finds its kernels there measures nothing, which on a Jetson Nano saves minutes, and
chooses the same ones again. Such a file is of one version of TensorRT and one GPU, both of which
TensorRT checks itself. It is given to native code, so it is to lie where only its user can write.
"""

from pathlib import Path
from typing import Any, Optional

from edgenet.files import write_atomically
from edgenet.runner.tensorrt.library import Library

MAX_BYTES = 1 << 28

NONE, NEW, USED, REFUSED = "none", "new", "used", "refused"
"""What became of a file: none was wanted, there was none, TensorRT took it, or did not."""


def use(library: Library, config: Any, path: Optional[Path]) -> str:
    """Give the builder what earlier builds measured; a file that it does not take is no error.

    Args:
        library: TensorRT for RTX keeps no such file.
        config: TensorRT's ``IBuilderConfig``.
        path: None wants none.
    """
    if path is None or not library.has_timing_cache:
        return NONE
    content = b""
    if path.is_file() and path.stat().st_size <= MAX_BYTES:
        content = path.read_bytes()
    if content:
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return USED
    config.set_timing_cache(config.create_timing_cache(b""), False)
    return REFUSED if content else NEW


def keep(config: Any, path: Path) -> None:
    """Write what this build measured, whole or not at all.

    Raises:
        EdgenetError: The file cannot be written.
    """
    cache = config.get_timing_cache()
    host_memory = cache.serialize()
    with write_atomically(path) as file:
        file.write(memoryview(host_memory))
