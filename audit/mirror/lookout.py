"""One gateway under the mirror's eyes: which logs it says it serves, and whether their heads fit the copies.

1. What it said last stays while it is away.
2. A log is copied from one gateway. The head that any other one shows must be of the same history, shorter or longer
   (`Copy.compare`): two writers under one key show here. What does not fit is kept as evidence, and is an alarm until a
   head of this gateway fits.
3. A look never raises for what the gateway does. It raises for what is wrong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from audit.fetch import Client, Endpoint
from audit.mirror import evidence
from audit.mirror.copy import Copy
from audit.mirror.judge import WELL, Alarm, Log, Trouble
from audit.mirror.source import LogSource, NotAdmitted, Strange
from contracts.errors import Fault, Unavailable

_MAX_LISTING = 64 * 1024


@dataclass(slots=True)
class Lookout:
    """Belongs to one thread; what it found is replaced whole and may be read by any. `evidence`: where proofs are kept.
    `served`: what the gateway said last, None before it said anything. `asked`: whether a first question has ended;
    `away`: whether the last one had no answer. `troubles`: what is wrong with heads of its logs."""

    endpoint: Endpoint
    client: Client
    evidence: Path
    served: tuple[Log, ...] | None = None
    asked: bool = False
    away: bool = True
    troubles: Mapping[Log, Trouble] = field(default_factory=dict)

    def ask(self) -> None:
        """Once, for what it serves (rule 1)."""
        try:
            self.served, self.away = _listing(self.client), False
        except Unavailable:
            self.client.close()
            self.away = True
        self.asked = True

    def lists(self, log: Log) -> bool:
        """Whether it says that it serves the slot of a log, under whichever key."""
        return any(one.slot == log.slot for one in self.served or ())

    def compare(self, copies: Mapping[Log, tuple[str, Copy]]) -> None:
        """Rule 2, for these logs. Each with the name of its directory; raises `Corrupt` for a copy, OSError."""
        for log, (name, copy) in copies.items():
            self.troubles = {**self.troubles, log: self._compare(log, name, copy) or self.troubles.get(log, WELL)}

    def alarms(self, logs: Sequence[Log]) -> Iterator[Alarm]:
        """What is wrong with its heads of `logs`."""
        for log, (code, detail) in self.troubles.items():
            if code and log in logs:
                yield Alarm(code, log.slot, detail)

    def _compare(self, log: Log, name: str, copy: Copy) -> Trouble | None:
        """None: it says nothing."""
        source = LogSource(self.client, log.slot)
        try:
            refusal = copy.compare(source.note(), source)
        except (NotAdmitted, Unavailable):
            return None
        except Strange as error:
            return "answer_strange", f"{self.client.url}: {error}"
        except Fault as fault:
            return "checkpoint_invalid", f"{self.client.url}: {fault.code}"
        if refusal is None:
            return WELL
        return refusal.reason, f"{self.client.url}: {evidence.keep(self.evidence / name, copy.key, refusal)}"


def _listing(client: Client) -> tuple[Log, ...]:
    """What a gateway says it serves; raises `Unavailable`, also for what cannot be read."""
    answer = client.get("/audit/logs", _MAX_LISTING)
    if answer.status != 200:
        raise Unavailable(f"{client.url}: status {answer.status}")
    try:
        logs = orjson.loads(answer.body)["logs"]
        return tuple(Log(_printable(one["slot"]), _printable(one["origin"]), _printable(one["vkey"])) for one in logs)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Unavailable(f"{client.url}: /audit/logs cannot be read") from None


def _printable(value: object) -> str:
    """A gateway's words end on somebody's terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(value)[:500])
