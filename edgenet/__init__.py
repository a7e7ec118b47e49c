"""Train small vision networks, compress, export and verify them, and measure them where they will run.

Importing this package loads nothing: the public API is in ``edgenet.workflows``, one function a verb.
"""

__version__ = "0.1.0"
