"""The auditors' own log, open for a review: what is in it, and what is added to it.

1. Opening it verifies it (`own_log`), folds its events, and holds it: nobody else decides between reading and
   appending.
2. What is appended is durable before anything is told or shown, and published when the book is closed. A process that
   keeps the log open (`Live`) reads it when all of it is published, which takes its publisher a second.
3. Texts are read with the auditors' private key only, each proved and held against its entry.
"""

import hmac
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.checkpoints import Checkpoint
from audit.log import AuditLog, LogSettings
from audit.review.events import Event, Recorded, Subject, encode, parse, sound_text, subject_json
from audit.review.ledger import Ledger, Texts, fold
from audit.review.samples import Sample
from audit.search import own_log
from audit.show import Viewer
from contracts.encoding import canonical
from contracts.errors import Unavailable, UserError

SALT_SIZE = 16
PUBLISHED_S = 10.0
_LOOK_S = 0.02


@dataclass(slots=True)
class Book:
    """An open log with its ledger. Raises what `own_log.opened` raises."""

    settings: LogSettings
    ledger: Ledger
    _log: AuditLog

    @property
    def head(self) -> Checkpoint:
        """The published head: what was read."""
        return self._log.published

    def append(self, event: Event, texts: Mapping[str, str], now: int | None = None) -> Recorded:
        """An event that the ledger admits; raises `UserError`. `texts`: name → text; `now` in Unix ms."""
        said = {name: sound_text(text) for name, text in texts.items()}
        about = said.get("note") or said.get("explanation")
        wrong = self.ledger.refusal(event, Texts(bool(about), bool(said.get("reason"))))
        if wrong is not None:
            raise UserError(wrong, where_of(getattr(event, "subject", None)))
        moment = now_ms() if now is None else now
        number = self._log.append_blocking(*encode(event, said, os.urandom(SALT_SIZE), moment))
        recorded = Recorded(number, moment, event, any(said.values()))
        self.ledger.take(recorded)
        return recorded

    def token(self, subject: Subject, parts: Iterable[str]) -> str:
        """A keyed digest of an explanation: tells the same one again, and nothing to others."""
        secret = self.settings.signing_key.key.private_bytes_raw()
        key = HKDF(SHA256(), 32, None, b"oncegate own log explanation v1").derive(secret)
        told = canonical([subject_json(subject), *parts])
        return hmac.digest(key, told, "sha256")[:16].hex()

    def texts(self, recorded: Sequence[Recorded], keys: Sequence[X25519PrivateKey]) -> list[Mapping[str, str] | None]:
        """What the openings of published events say (rule 3); None: no key that opens them, or erased.

        Raises `Corrupt`, `Fault` `opening_unreadable`.
        """
        key = self._auditor(keys)
        if key is None:
            return [None] * len(recorded)
        viewer = Viewer(self.settings.directory, self._log.verifier, key)
        found = [viewer.line(one.number).opening if one.sealed else {} for one in recorded]
        return [None if one is None else {name: str(text) for name, text in one.items()} for one in found]

    def _auditor(self, keys: Sequence[X25519PrivateKey]) -> X25519PrivateKey | None:
        ours = self.settings.auditor.public_bytes_raw()
        return next((key for key in keys if key.public_key().public_bytes_raw() == ours), None)


@dataclass(frozen=True, slots=True)
class Live:
    """The own log of a process that keeps it open; safe from any thread but that of an event loop, which it blocks."""

    settings: LogSettings
    log: AuditLog
    turn: Lock = field(default_factory=Lock)


Own = LogSettings | Live


@contextmanager
def opened(own: Own, samples: Iterable[Sample] = ()) -> Iterator[Book]:
    """The book (rule 1). `samples`: those at hand. Raises `UserError`, `Corrupt`, `Unavailable`, OSError."""
    with _log_of(own) as (settings, log):
        events = [event for number, entry in own_log.entries(log, settings) if (event := parse(number, entry))]
        yield Book(settings, fold(events, samples), log)


@contextmanager
def _log_of(own: Own) -> Iterator[tuple[LogSettings, AuditLog]]:
    if isinstance(own, LogSettings):
        with own_log.opened(own) as log:
            yield own, log
        return
    with own.turn:
        _wait_until_published(own)
        yield own.settings, own.log


def _wait_until_published(own: Live) -> None:
    size, end = own.log.size, time.monotonic() + PUBLISHED_S
    while own.log.published.size < size:
        if not own.log.alive or time.monotonic() > end:
            raise Unavailable(f"{own.settings.directory}: not published")
        time.sleep(_LOOK_S)


def now_ms() -> int:
    """The time in Unix ms."""
    return time.time_ns() // 1_000_000


def where_of(subject: Subject | None) -> str:
    """A subject in an error message."""
    if subject is None or isinstance(subject, str):
        return subject or ""
    return f"{subject.log}:{subject.position}"
