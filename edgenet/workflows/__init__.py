"""The public Python API: one typed function a verb, frozen arguments in, a frozen result out.

Nothing heavy is imported until a verb is used, so that measuring never loads what training needs.
Long verbs take ``progress``, a callback that receives :class:`edgenet.progress.Step`.
"""

from __future__ import annotations

import importlib

_HOMES = {
    "bench": ("bench", "BenchArguments", "BenchResult"),
    "evaluate": ("evaluate", "EvaluateArguments", "EvaluateResult"),
    "export": ("export", "ExportArguments", "ExportResult"),
    "import_onnx": ("import_onnx", "ImportArguments", "ImportResult"),
    "inspect": ("inspect", "list_models", "InspectArguments", "InspectResult", "ModelRow"),
    "predict": ("predict", "PredictArguments", "PredictResult"),
    "quickstart": ("quickstart", "QuickstartArguments", "QuickstartResult"),
    "resolve": ("resolve",),
    "runs": ("list_runs", "RunRow"),
    "train": ("train", "resume", "TrainArguments", "TrainResult"),
    "verify": ("verify", "VerifyArguments", "VerifyResult"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> object:
    """Import a verb's module when one of its names is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
