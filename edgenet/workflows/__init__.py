"""The public Python API: one typed function a verb, frozen arguments in, a frozen result out.

Nothing heavy is imported until a verb is used, so that measuring never loads what training needs.
Long verbs take ``progress``, a callback that receives :class:`edgenet.progress.Step`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgenet.workflows._bench import BenchArguments, BenchResult, bench
    from edgenet.workflows._compare import CompareArguments, CompareResult, compare
    from edgenet.workflows._distill import (
        DistillArguments,
        DistillResult,
        distill,
        plan_distillation,
        resume_distillation,
    )
    from edgenet.workflows._doctor import DoctorArguments, DoctorResult, doctor
    from edgenet.workflows._evaluate import EvaluateArguments, EvaluateResult, evaluate
    from edgenet.workflows._explain import ExplainArguments, ExplainResult, explain
    from edgenet.workflows._export import ExportArguments, ExportedBundle, ExportResult, export
    from edgenet.workflows._import_onnx import ImportArguments, ImportResult, import_onnx
    from edgenet.workflows._inspect import (
        InspectArguments,
        InspectResult,
        ModelRow,
        inspect,
        list_models,
    )
    from edgenet.workflows._predict import PredictArguments, PredictResult, predict
    from edgenet.workflows._quantize import QuantizeArguments, QuantizeResult, quantize
    from edgenet.workflows._quickstart import QuickstartArguments, QuickstartResult, quickstart
    from edgenet.workflows._report import ReportArguments, ReportResult, report
    from edgenet.workflows._resolve import Kind, Resolved, newest_interrupted, resolve
    from edgenet.workflows._slim import (
        SlimArguments,
        SlimResult,
        plan_slimming,
        resume_slimming,
        slim,
    )
    from edgenet.workflows._targets import TargetExplanation, explain_target, list_targets
    from edgenet.workflows._train import (
        TrainArguments,
        TrainPlan,
        TrainResult,
        plan_training,
        resume,
        train,
    )
    from edgenet.workflows._train_group import TrainGroupResult, resume_group, train_group
    from edgenet.workflows._verify import VerifyArguments, VerifyResult, verify
    from edgenet.workflows.compare_baseline import Baseline, Baselined
    from edgenet.workflows.groups import is_group, take_seeds
    from edgenet.workflows.qat_options import QatOptions
    from edgenet.workflows.run_list import RunRow, list_runs
    from edgenet.workflows.runs import Run

__all__ = [
    "Baseline",
    "Baselined",
    "BenchArguments",
    "BenchResult",
    "CompareArguments",
    "CompareResult",
    "DistillArguments",
    "DistillResult",
    "DoctorArguments",
    "DoctorResult",
    "EvaluateArguments",
    "EvaluateResult",
    "ExplainArguments",
    "ExplainResult",
    "ExportArguments",
    "ExportResult",
    "ExportedBundle",
    "ImportArguments",
    "ImportResult",
    "InspectArguments",
    "InspectResult",
    "Kind",
    "ModelRow",
    "PredictArguments",
    "PredictResult",
    "QatOptions",
    "QuantizeArguments",
    "QuantizeResult",
    "QuickstartArguments",
    "QuickstartResult",
    "ReportArguments",
    "ReportResult",
    "Resolved",
    "Run",
    "RunRow",
    "SlimArguments",
    "SlimResult",
    "TargetExplanation",
    "TrainArguments",
    "TrainGroupResult",
    "TrainPlan",
    "TrainResult",
    "VerifyArguments",
    "VerifyResult",
    "bench",
    "compare",
    "distill",
    "doctor",
    "evaluate",
    "explain",
    "explain_target",
    "export",
    "import_onnx",
    "inspect",
    "is_group",
    "list_models",
    "list_runs",
    "list_targets",
    "newest_interrupted",
    "plan_distillation",
    "plan_slimming",
    "plan_training",
    "predict",
    "quantize",
    "quickstart",
    "report",
    "resolve",
    "resume",
    "resume_distillation",
    "resume_group",
    "resume_slimming",
    "slim",
    "take_seeds",
    "train",
    "train_group",
    "verify",
]

# Module of every name above. Modules whose verb has their name are private: importing a module sets
# an attribute of the package, and that would hide the function.
_HOMES = {
    "_bench": ("BenchArguments", "BenchResult", "bench"),
    "_compare": ("CompareArguments", "CompareResult", "compare"),
    "_distill": (
        *("DistillArguments", "DistillResult"),
        *("distill", "plan_distillation", "resume_distillation"),
    ),
    "_doctor": ("DoctorArguments", "DoctorResult", "doctor"),
    "_evaluate": ("EvaluateArguments", "EvaluateResult", "evaluate"),
    "_explain": ("ExplainArguments", "ExplainResult", "explain"),
    "_export": ("ExportArguments", "ExportedBundle", "ExportResult", "export"),
    "_import_onnx": ("ImportArguments", "ImportResult", "import_onnx"),
    "_inspect": ("InspectArguments", "InspectResult", "ModelRow", "inspect", "list_models"),
    "_predict": ("PredictArguments", "PredictResult", "predict"),
    "_quantize": ("QuantizeArguments", "QuantizeResult", "quantize"),
    "_quickstart": ("QuickstartArguments", "QuickstartResult", "quickstart"),
    "_report": ("ReportArguments", "ReportResult", "report"),
    "_resolve": ("Kind", "Resolved", "newest_interrupted", "resolve"),
    "_slim": (
        *("SlimArguments", "SlimResult"),
        *("plan_slimming", "resume_slimming", "slim"),
    ),
    "_targets": ("TargetExplanation", "explain_target", "list_targets"),
    "_train": (
        *("TrainArguments", "TrainPlan", "TrainResult"),
        *("plan_training", "resume", "train"),
    ),
    "_train_group": ("TrainGroupResult", "resume_group", "train_group"),
    "_verify": ("VerifyArguments", "VerifyResult", "verify"),
    "compare_baseline": ("Baseline", "Baselined"),
    "groups": ("is_group", "take_seeds"),
    "qat_options": ("QatOptions",),
    "run_list": ("RunRow", "list_runs"),
    "runs": ("Run",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a verb's module when one of its names is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
