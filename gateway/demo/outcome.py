"""What the demo counted, as one value and as the JSON object of `--json`."""

from dataclasses import dataclass

from audit.verify import Report
from contracts.encoding import Json
from gateway.demo.morning import GRANTED, NOT_FOUND, REFUSED, Answered


@dataclass(frozen=True, slots=True)
class Published:
    """What the adapters reported, all streams together."""

    rows_read: int
    refused: int
    published: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """`message_log`: embedded or kafka.

    Times in seconds: `ready` until a question could be asked, `seconds` until everything was checked."""

    message_log: str
    adapters: Published
    ingested: int
    messages_rejected: int
    planted_rows: int
    planted_messages: int
    visits: tuple[Answered, ...]
    receipts_verified: int
    audit: Report
    tamper_detected: bool
    ready: float
    seconds: float

    def count(self, outcome: str) -> int:
        """How many visits came to `outcome`."""
        return sum(one.outcome == outcome for one in self.visits)

    def as_json(self) -> dict[str, Json]:
        """The object of `--json`."""
        return {
            "message_log": self.message_log,
            "rows_read": self.adapters.rows_read,
            "rows_refused": self.adapters.refused,
            "published": self.adapters.published,
            "ingested": self.ingested,
            "messages_rejected": self.messages_rejected,
            "planted": {"rows": self.planted_rows, "messages": self.planted_messages},
            "lookups": {name: self.count(name) for name in (GRANTED, REFUSED, NOT_FOUND)},
            "receipts_verified": self.receipts_verified,
            "audit": {
                "origin": self.audit.origin,
                "size": self.audit.size,
                "verified": self.audit.difference is None,
                "tamper_detected": self.tamper_detected,
            },
            "ready_seconds": round(self.ready, 2),
            "seconds": round(self.seconds, 2),
        }

    def wrong(self) -> tuple[str, ...]:
        """What is not as the demo planted and asked it; empty when all is well."""
        holds = {
            "rows_refused": self.adapters.refused == self.planted_rows,
            "published": self.adapters.published == self.adapters.rows_read - self.planted_rows,
            "ingested": self.ingested == self.adapters.published,
            "messages_rejected": self.messages_rejected == self.planted_messages,
            "lookups": all(one.as_told for one in self.visits),
            "receipts_verified": self.receipts_verified == len(self.visits),
            "audit.size": self.audit.size >= len(self.visits),
            "audit.verified": self.audit.difference is None,
            "audit.tamper_detected": self.tamper_detected,
        }
        return tuple(name for name, held in holds.items() if not held)
