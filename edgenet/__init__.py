"""Train small vision networks, export and verify them, and measure them where they will run.

Importing this package loads nothing. The public API is in ``edgenet.workflows``, one function a
verb.
"""

__version__ = "0.1.0"
