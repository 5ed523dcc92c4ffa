"""Findings about models before they are merged, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dfwe.errors import MergeError

Level = Literal["ok", "unchecked", "warning", "refusal"]
ALL = "all"  # the subject of a finding about the models together


@dataclass(frozen=True)
class Finding:
    """Say what one check found about a model (or `all`), and what to do about a `warning` or `refusal`."""

    check: str
    subject: str
    level: Level
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.check} of {self.subject}: {self.text}" + (f": {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Preflight:
    """Hold all findings, and how far models are from the base, or from the first model if no base is given.

    `distances` are norms of differences over the base's norm. `cosines` are those between task vectors: only if there
    is a base.
    """

    findings: tuple[Finding, ...]
    distances: Mapping[str, float]
    cosines: Mapping[tuple[str, str], float]

    def of(self, level: Level) -> tuple[Finding, ...]:
        """Return the findings of that level."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def check(self) -> None:
        """Raise MergeError with the first refusal, and the number of the others, if there is one."""
        if refusals := self.of("refusal"):
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            raise MergeError(f"{refusals[0]}{more}")

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        cosines = [{"models": list(pair), "cosine": cosine} for pair, cosine in self.cosines.items()]
        findings = [asdict(finding) for finding in self.findings]
        return {"findings": findings, "distances": dict(self.distances), "cosines": cosines}
