"""The Python of measuring processes in which onnxruntime is ``_slowed_onnxruntime``.

``compare`` takes any interpreter for its processes. This one is called as Python is, with ``-m
edgenet.runner JOB``, changes one line of the table of runtimes, and goes on as Python would.
"""

from __future__ import annotations

import runpy
import sys

from edgenet.runner import runtimes

if __name__ == "__main__":
    runtimes.TABLE["onnxruntime"] = runtimes.Entry("_slowed_onnxruntime")
    _, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
