"""What a doctor finds, as values. Pure.

1. A finding is `ok`, `warning` (it works, and somebody should know) or `failed` (something does not work, or data could
   be lost). What is not `ok` has a remedy.
2. What could not be found out is a warning that says so: unknown is never `ok`.
3. Nothing personal: findings name files, topics, streams and keys' ids, never contents.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.text import Text

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
SIGNS: Final = {OK: "✔", WARNING: "⚠", FAILED: "✘"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `what`: what was looked at and what is the matter; `where`: a path, a topic, a stream."""

    level: str
    what: Text
    where: str = ""
    remedy: Text | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A finding under the name and the title of its check."""

    check: str
    title: Text
    finding: Finding


def ok(zh: str, en: str, where: object = "") -> Finding:
    """All is well."""
    return Finding(OK, Text(zh, en), str(where))


def warning(what: Text, remedy: Text, where: object = "") -> Finding:
    """It works, and somebody should know."""
    return Finding(WARNING, what, str(where), remedy)


def failed(what: Text, remedy: Text, where: object = "") -> Finding:
    """It does not work, or data could be lost."""
    return Finding(FAILED, what, str(where), remedy)


def verdict(told: Sequence[Told]) -> str:
    """The worst level of all."""
    levels = {one.finding.level for one in told}
    return next((level for level in (FAILED, WARNING) if level in levels), OK)


def counts(told: Sequence[Told]) -> dict[str, int]:
    """How many of each level."""
    found = Counter(one.finding.level for one in told)
    return {level: found[level] for level in SIGNS}
