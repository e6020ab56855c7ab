"""What a check found, each with what mends it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check; `fix` is what to do when it fails, `required` means that the steps need it."""

    name: str
    holds: bool
    fix: str
    required: bool = True


def shown(found: Iterable[Finding]) -> str:
    """A line for each, and the fix of those that fail."""
    lines = []
    for finding in found:
        sign = "ok     " if finding.holds else "MISSING" if finding.required else "later  "
        lines.append(f"  {sign} {finding.name}" + ("" if finding.holds else f": {finding.fix}"))
    return "\n".join(lines)


def missing(found: Iterable[Finding]) -> list[str]:
    """The names of what is required and fails."""
    return [finding.name for finding in found if finding.required and not finding.holds]
