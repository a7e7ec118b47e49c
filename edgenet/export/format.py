"""What every file of the table of formats offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from edgenet.export.graph import DeployedNetwork
    from edgenet.weights import NetworkWeights

METADATA_KEY = "edgenet"
"""Name of the JSON object that a model file carries: labels, preprocessing and the like."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of the options, read back from the written file where it says so.

    Attributes:
        options: The format's own options as they are in the file, such as ``opset``.
        tools: Version by name of what wrote it.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)


class Format(Protocol):
    """A module that writes a network as a file of one format, and reads its weights back.

    Attributes:
        FILE_NAME: Name of the model file in a bundle.
        DEFAULT_OPSET: The opset that is written unless another is asked for; None for a format
            that has no opsets.
    """

    FILE_NAME: str
    DEFAULT_OPSET: int | None

    def exporters(self, opset: int | None) -> tuple[str, ...]:
        """Return the names of the ways to write an opset, the one to try first before the others.

        Args:
            opset: ONNX operator set; None where the format has none.
        """
        ...

    def write(
        self,
        network: DeployedNetwork,
        path: Path,
        *,
        batch: int | None,
        opset: int | None,
        metadata: Mapping[str, Any],
        exporter: str | None = None,
    ) -> Written:
        """Write ``network`` to ``path``.

        Args:
            network: From raw pictures [N, C, H, W] to logits [N, K].
            path: The file to write; its folder exists.
            batch: The only batch size that the file shall take; None leaves N free.
            opset: ONNX operator set; None where the format has none.
            metadata: JSON values that the file carries under :data:`METADATA_KEY`.
            exporter: A name that :meth:`exporters` gives; None takes the first.

        Raises:
            NotPossible: The format cannot express the network or an option.
        """
        ...

    def stored_weights(self, path: Path) -> NetworkWeights:
        """Read the weights of a file that :meth:`write` wrote.

        Raises:
            CorruptFile: The file is not of this format.
        """
        ...
