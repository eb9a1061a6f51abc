"""Which logs there are: the registry's word, verified by the auditor's own pin, never a gateway's.

1. The directory holds a signed manifest and its parts (`oncegate control build` wrote them; whoever carries them here
   can withhold a version, not change one). It is read again when the manifest is another one.
2. The highest version accepted is on disk before it is used; a lower one is refused for ever.
3. Past its `fresh_until` it is old, past `valid_until` unusable; the logs that it named stay the ones to be mirrored:
   an auditor does not stop looking because a signature is late.
"""

from collections.abc import Mapping
from pathlib import Path

from audit.mirror.judge import Log
from audit.notes import NoteKey
from audit.orders.authority import Authority, authority_of, listed_keys
from contracts.algorithms import VerifyKey
from contracts.edge import system_errors
from contracts.edge.files import write_atomic
from contracts.encoding import canonical, parse_object
from contracts.errors import Corrupt, Fault, UserError
from contracts.plain import from_plain, to_plain
from contracts.registry import AuditSlot, Snapshot, manifest
from contracts.registry.manifest import MAX_PART, Seen
from contracts.registry.snapshot import CLOSED, FRESH
from contracts.registry.succession import predecessors
from contracts.text import Text

_NONE = Text("没有可用的注册库", "There is no registry that can be used")
_COPY = Text(
    "请将 oncegate control build 生成的 build 目录复制到此处,并核对 root_key。",
    "Copy the directory build of oncegate control build to this place, and check root_key.",
)


class Listed:
    """The registry as the mirror knows it. `refused`: the code of the last refusal, "" for none."""

    def __init__(self, directory: Path, root: VerifyKey, seen: Path) -> None:
        self._directory = directory
        self._root = root
        self._seen = seen
        self._bytes: bytes | None = None
        self._snapshot: Snapshot | None = None
        self.refused = ""

    def look(self, now: int) -> None:
        """Take a version that is new; `now` in Unix ms."""
        try:
            data = (self._directory / "manifest.jws").read_bytes()
            if data != self._bytes or self.refused:
                self._take(data, now)
                self._bytes, self.refused = data, ""
        except Fault as fault:
            self.refused = fault.code
        except OSError as error:
            self.refused = f"unreadable: {system_errors.why(error).en}"

    def need(self) -> tuple[Log, ...]:
        """The logs that it lists; raises `UserError` while none was ever taken."""
        if self._snapshot is None:
            raise UserError(_NONE, f"{self._directory} {self.refused}", _COPY)
        slots = self._snapshot.contents.audit_slots
        return tuple(Log(one.slot, one.origin, one.vkey) for one in slots)

    def slots(self) -> Mapping[str, AuditSlot]:
        """The same as the registry has them, by slot; none before the first."""
        return {} if self._snapshot is None else self._snapshot.audit_slots

    def authority(self, slot: str) -> Authority | None:
        """Whose orders about openings count for the log of `slot`."""
        return None if self._snapshot is None else authority_of(self._snapshot, slot)

    def keys(self) -> Mapping[str, NoteKey]:
        """Of all logs, by origin."""
        return {} if self._snapshot is None else listed_keys(self._snapshot)

    def age(self, log: Log) -> int:
        """How many logs are before one: a closed log is looked at after those that say something about it."""
        slots = self.slots()
        return sum(1 for _ in predecessors(slots, slots[log.slot])) if log.slot in slots else 0

    def is_valid(self, now: int) -> bool:
        """Whether it may decide about removing anything; `now` in Unix ms."""
        return not self.refused and self._snapshot is not None and self._snapshot.freshness(now) != CLOSED

    @property
    def version(self) -> int | None:
        """Of the registry in use."""
        return None if self._snapshot is None else self._snapshot.version

    def state(self, now: int) -> str:
        """The alarm's code (rule 3), or an empty text."""
        if self.refused:
            return "registry_unusable"
        return "" if self._snapshot is not None and self._snapshot.freshness(now) == FRESH else "registry_old"

    def _take(self, data: bytes, now: int) -> None:
        signed = manifest.read(data, self._root)
        parts = {one.digest: self._part(one.digest) for one in signed.parts}
        seen = self._read_seen()
        if seen == Seen(signed.version, self._root.suite.digest_text(data)):
            now = min(now, signed.valid_until - 1)  # taken when it was valid: rule 3
        snapshot, here = manifest.accept(data, parts, self._root, seen, now)
        if here != seen:
            write_atomic(self._seen, canonical(to_plain(here)))
        self._snapshot = snapshot

    def _part(self, digest: str) -> bytes:
        path = self._directory / "parts" / f"{digest.replace(':', '-')}.json"
        with path.open("rb") as file:
            return file.read(MAX_PART + 1)

    def _read_seen(self) -> Seen | None:
        try:
            return from_plain(Seen, parse_object(self._seen.read_bytes()))
        except FileNotFoundError:
            return None
        except Fault:
            raise Corrupt(f"{self._seen} does not say which registry version was seen last") from None
