"""From encoded pictures to classes: decode, resize, infer, argmax, as `predict` does it.

The pictures are those of the measurement, enlarged to about what a small camera gives, and held as
JPEG files in memory, so that no disk is read while the clock runs.
"""

import io
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from edgenet.errors import NotPossible
from edgenet.runner import host
from edgenet.runner.bundle import Bundle
from edgenet.runner.decode import decode
from edgenet.runner.job import Scenario
from edgenet.runner.preprocess import Preprocessing, prepare
from edgenet.runner.timing import Query, quiet, run_stages, settle

LEAST_SIDE = 224
"""The shorter side of an encoded picture is at least this; a larger one keeps its size."""

ENCODING = "JPEG"
QUALITY = 90
_PICTURES = 64


class Encoded(NamedTuple):
    """Pictures as files.

    Attributes:
        batches: Each the files of one query.
        height: Pixels of each picture.
        width: Likewise.
        median_bytes: Of a file.
    """

    batches: List[List[bytes]]
    height: int
    width: int
    median_bytes: float


def measure(
    session: Any, bundle: Bundle, scenario: Scenario, encoded: Encoded
) -> Tuple[np.ndarray, Dict[str, Any]]:
    """Time queries from files to classes.

    Args:
        session: A runtime's, of the bundle.
        bundle: Says how pictures become inputs.
        scenario: For how long.
        encoded: The files.

    Returns:
        int64 [n, 4] nanoseconds of decode, resize, infer and argmax, and the other fields of the
        event.
    """
    steps = stages(session, bundle.manifest.preprocessing)

    def run(query: Query) -> np.ndarray:
        return run_stages(steps, encoded.batches, query)

    with quiet():
        warm = settle(run, scenario.warmup_s)
        before = host.snapshot()
        samples = run(Query(scenario.min_duration_s, scenario.min_queries))
        after = host.snapshot()
    fields = {
        "batch": scenario.batch,
        "queries": len(samples),
        "steady": warm.steady,
        "warmup_block_p50_ns": warm.block_p50_ns,
        "picture": {
            "encoding": ENCODING,
            "height": encoded.height,
            "width": encoded.width,
            "bytes": encoded.median_bytes,
        },
        "host_before": before,
        "host_after": after,
    }
    return samples, fields


def encode(images: np.ndarray, batch: int) -> Encoded:
    """Encode pictures for queries of ``batch`` pictures each.

    Args:
        images: uint8 [N, C, H, W] with C 1 (grey) or 3 (RGB); the first 64 are taken, or as many as
            one query needs, again from the first where there are fewer.
        batch: Pictures a query.

    Raises:
        NotPossible: Pillow is not installed, or cannot write JPEG.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise NotPossible("Pillow is not installed, which decodes pictures") from error
    bilinear = getattr(Image, "Resampling", Image).BILINEAR
    height, width = images.shape[2:]
    factor = -(-LEAST_SIDE // min(height, width))
    size = (width * factor, height * factor)
    count = max(batch, min(_PICTURES, len(images)) // batch * batch)
    files = []
    for number in range(count):
        pixels = images[number % len(images)].transpose(1, 2, 0)
        picture = Image.fromarray(np.ascontiguousarray(pixels.squeeze()))
        file = io.BytesIO()
        try:
            picture.resize(size, bilinear).save(file, ENCODING, quality=QUALITY)
        except (OSError, KeyError, ValueError) as error:
            raise NotPossible("Pillow cannot write {} here: {}".format(ENCODING, error)) from error
        files.append(file.getvalue())
    batches = [files[first : first + batch] for first in range(0, count, batch)]
    lengths = [len(file) for file in files]
    return Encoded(batches, size[1], size[0], float(np.median(lengths)))


def stages(session: Any, preprocessing: Preprocessing) -> List[Callable[[Any], Any]]:
    """Return what is done to the files of a query, one after the other.

    Args:
        session: A runtime's.
        preprocessing: The bundle's.

    Returns:
        ``decode``, files to uint8 [H, W, C] each; ``resize``, to uint8 [N, C, H, W]; ``infer``, to
        logits float32 [N, K]; ``argmax``, to classes [N].
    """

    def decode_all(files: Sequence[bytes]) -> List[np.ndarray]:
        return [decode(file) for file in files]

    def resize_all(pictures: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([prepare(picture, preprocessing) for picture in pictures])

    def argmax(logits: np.ndarray) -> Any:
        return logits.argmax(axis=1)

    return [decode_all, resize_all, session.run, argmax]
