"""What can be said of figures: intervals, quantiles, counts, and paired comparisons. NumPy only."""

from edgenet.statistics.classification import (
    ClassificationReport,
    ClassReport,
    confusion_matrix,
    ratio,
)
from edgenet.statistics.intervals import (
    mean_interval,
    median_interval,
    normal_quantile,
    quantile,
    student_t_quantile,
    wilson_interval,
)
from edgenet.statistics.paired import mcnemar_p, paired_interval, pairs_needed

__all__ = [
    "ClassReport",
    "ClassificationReport",
    "confusion_matrix",
    "mcnemar_p",
    "mean_interval",
    "median_interval",
    "normal_quantile",
    "paired_interval",
    "pairs_needed",
    "quantile",
    "ratio",
    "student_t_quantile",
    "wilson_interval",
]
