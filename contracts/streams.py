"""A stream: one adapter and one evidence type; the unit of order, sequence, keys and completeness."""

from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a stream. Compares as (epoch, seq): the higher one wins."""

    epoch: int  # Unix ms, rising: each new outbox and each compromise begins a new one
    seq: int  # from 1, +1 with each message of the epoch


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """Who publishes which type (its id without version)."""

    organisation: str
    adapter: str
    evidence_type: str

    def __str__(self) -> str:
        return f"{self.organisation}/{self.adapter}/{self.evidence_type}"

    @property
    def topic(self) -> str:
        """The topic's name, without the installation's prefix. Never parsed back."""
        return f"evidence.{self.evidence_type}.{self.adapter}"
