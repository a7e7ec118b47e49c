"""onnxruntime whose queries take 5 % longer, for bundles whose folder is called ``slowed``.

It takes the runtime's place in the processes of ``compare_pairs.py`` alone. Bundles of any other
name pass through the same lines and wait for nothing, so that the lines themselves cost both sides
alike.
"""

from __future__ import annotations

import statistics
from typing import Any

from edgenet.runner.runtimes import onnxruntime as real
from edgenet.runner.timing import now_ns

DELAY = 0.05
SLOWED = "slowed"

READ_NS = statistics.median(-now_ns() + now_ns() for _ in range(1001))
"""What looking at the clock once takes, which a session that waits for nothing does, too."""

FORMATS, CLOCKS = real.FORMATS, real.CLOCKS
unavailable, versions = real.unavailable, real.versions


def open_session(bundle: Any, threads: int, device: str, **options: Any) -> SlowedSession:
    """Load a bundle; in a folder of that name it is slowed."""
    session = real.open_session(bundle, threads, device, **options)
    return SlowedSession(session, DELAY if bundle.path.name == SLOWED else 0.0)


class SlowedSession:
    """A session that spins at the end of `execute` for a share of the query's time so far."""

    def __init__(self, session: Any, share: float) -> None:
        self._session = session
        self._share = share
        self._begun = 0
        self.options = session.options

    def bind(self, images: Any) -> None:
        """Copy pictures uint8 [N, C, H, W] to the model's input."""
        self._begun = now_ns()
        self._session.bind(images)

    def execute(self) -> None:
        """Run the network, and then nothing for a share of the time since `bind` began."""
        self._session.execute()
        delay_ns = self._share * (now_ns() - self._begun)
        until = now_ns() + delay_ns + READ_NS * (self._share > 0)
        while now_ns() < until:
            pass

    def fetch(self) -> Any:
        """Return the logits float32 [N, K]."""
        return self._session.fetch()

    def run(self, images: Any) -> Any:
        """Return the logits of pictures, at the usual speed."""
        return self._session.run(images)

    def close(self) -> None:
        """Give the model's memory back."""
        self._session.close()
