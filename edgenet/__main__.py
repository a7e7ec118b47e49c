"""``python -m edgenet``: the same as the ``edgenet`` command."""

from __future__ import annotations

import sys

from edgenet.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
