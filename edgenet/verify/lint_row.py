"""One row of a lint: a rule, what was found, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgenet.verify.checks import Check, Status

WHOLE_FILE = "the file"


@dataclass(frozen=True, kw_only=True)
class LintRow:
    """What one rule says of a file, or of one place in it.

    Attributes:
        rule: Its name, such as ``opset``.
        status: ``ok``, ``failed``, or ``not run``.
        place: The node or tensor, or ``the file``.
        detail: What is there, and who refuses it; or why the rule was not looked at.
        advice: What to do; empty where nothing has to be done.
    """

    rule: str
    status: Status
    place: str
    detail: str
    advice: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values by field name."""
        return dict(vars(self))

    def as_check(self, target: str) -> Check:
        """Return the row of a verification that says the same."""
        place = "" if self.place == WHOLE_FILE else f"{self.place}: "
        advice = f"; {self.advice}" if self.advice else ""
        detail = f"{place}{self.detail}{advice}"
        return Check(name=f"{target}: {self.rule}", status=self.status, detail=detail)


def kept(rule: str, detail: str) -> LintRow:
    """Return the row of a rule that a file keeps."""
    return LintRow(rule=rule, status="ok", place=WHOLE_FILE, detail=detail, advice="")


def broken(rule: str, detail: str, advice: str, place: str = WHOLE_FILE) -> LintRow:
    """Return the row of a place where a file breaks a rule."""
    return LintRow(rule=rule, status="failed", place=place, detail=detail, advice=advice)


def left_out(rule: str, reason: str) -> LintRow:
    """Return the row of a rule that was not looked at."""
    return LintRow(rule=rule, status="not run", place=WHOLE_FILE, detail=reason, advice="")
