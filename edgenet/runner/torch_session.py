"""One network of PyTorch's that is loaded: what both of its file formats run as.

PyTorch itself is handed in by the runtime that loaded it, so that this module imports none of it.
"""

from typing import Any, Dict

import numpy as np

from edgenet.errors import CorruptFile
from edgenet.runner.bundle import Bundle
from edgenet.runner.torch_errors import explained


class TorchSession:
    """One loaded module with an input tensor of its own.

    Args:
        bundle: Says what goes in and comes out.
        torch: PyTorch, whose number of threads is set.
        module: Takes the input tensor, gives the logits.
        reason_line: Which line of an error of the module's says the reason; -1 is the last.
    """

    def __init__(self, bundle: Bundle, torch: Any, module: Any, reason_line: int = 0) -> None:
        self.options: Dict[str, str] = {}
        self._torch = torch
        self._path = bundle.model_path
        self._module = module
        self._forward = module.forward  # without the module's hooks: a third of a small pt2 call
        self._reason_line = reason_line
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

        The first call for a shape of the input goes through the module's hooks, which compare it
        with what the program was exported for.

        Raises:
            CorruptFile: The file does not take or give what its manifest promises, or its program
                does not run.
            EdgenetError: There is not enough memory.
        """
        with self._torch.inference_mode():
            if self._checked:
                self._logits = self._forward(self._images)
                return
            try:
                self._logits = self._module(self._images)
            except Exception as error:  # whatever the program does wrong
                raise explained(self._path, "does not run", error, self._reason_line) from error
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
        self._forward = None
        self._logits = None

    def _check_logits(self) -> None:
        shape = (len(self._view), self._classes)
        given = self._logits
        if getattr(given, "shape", None) != shape or given.dtype is not self._torch.float32:
            raise CorruptFile("{} does not give float32 {}".format(self._path, list(shape)))
        self._checked = True
