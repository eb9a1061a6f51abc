"""What the feed keeps on disk, beside the audit log of a slot: how far each sink is, and where it is.

1. One small file for each sink, replaced as a whole and durable before the next batch goes out. A crash between the two
   sends a batch again; its events have the same ids.
2. A webhook's address and key files are remembered here, so that a sink that is gone from the configuration still gets
   the event that says so; they are forgotten when it has it.
3. `seen.json` is a fold that the log gives again: lost, wrong or of another log, it is made anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.algorithms import sha256
from contracts.edge.files import write_atomic
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Corrupt, Fault
from gateway.supervision.seen import Seen
from gateway.supervision.settings import Webhook

_SEEN = "seen.json"
_SINK = "sink-"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sink is: `next` is the index of the entry that it gets next; `at` when it took something last (Unix ms,
    0: never). `webhook`: what a webhook is; None for the topic, and when it is done with."""

    name: str
    next: int
    at: int = 0
    webhook: Webhook | None = None


class Places:
    """The files of one log. Each sink's file is for the thread of that sink; OSError goes through."""

    def __init__(self, directory: Path, origin: str) -> None:
        self._directory = directory
        self._origin = origin

    def load(self) -> dict[str, Place]:
        """Every sink that is known here, by name; raises `Corrupt`."""
        found = (self._read(path) for path in sorted(self._directory.glob(f"{_SINK}*.json")))
        return {place.name: place for place in found if place is not None}

    def save(self, place: Place) -> None:
        """Durable on return."""
        webhook = place.webhook
        form = {"origin": self._origin, "name": place.name, "next": place.next, "at": place.at, "webhook": None}
        if webhook is not None:
            form["webhook"] = [webhook.url, *(_text(path) for path in (webhook.key, webhook.secret, webhook.ca))]
        name = f"{_SINK}{sha256(place.name.encode()).hex()[:16]}.json"
        self._write(name, form)

    def seen(self) -> Seen:
        """Rule 3."""
        try:
            form = parse_object((self._directory / _SEEN).read_bytes())
            return Seen.from_json(form["seen"]) if form["origin"] == self._origin else Seen()
        except (OSError, Fault, KeyError, TypeError, ValueError):
            return Seen()

    def save_seen(self, seen: Seen) -> None:
        self._write(_SEEN, {"origin": self._origin, "seen": seen.to_json()})

    def _write(self, name: str, form: Mapping[str, Json]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(self._directory / name, canonical(dict(form)), 0o600)

    def _read(self, path: Path) -> Place | None:
        try:
            form = parse_object(path.read_bytes())
            if form["origin"] != self._origin:
                return None
            return Place(form["name"], form["next"], form["at"], _webhook(form["webhook"]))
        except (Fault, KeyError, TypeError, ValueError):
            raise Corrupt(f"{path} does not say how far a sink of the supervision feed is") from None


def _webhook(form: Json) -> Webhook | None:
    if form is None:
        return None
    url, *files = form
    key, secret, ca = (None if name is None else Path(name) for name in files)
    return Webhook(url, key, secret, ca)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
