"""Entries of a published log, for people: the record in one line, or as JSON, with its opening where allowed.

1. Every entry is proved against the signed head before it is shown.
2. An opening must be the one that its leaf committed to; otherwise it is `Corrupt`.
3. A restricted opening (`orders.state`) is not shown, whoever asks.
4. An entry that is no access record (a log holds bytes) is shown by length and hash.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.checkpoints import Checkpoint
from audit.merkle import leaf_hash, verify_inclusion
from audit.moments import moment
from audit.notes import NoteKey
from audit.openings import DayKey, key_id_of, key_path, parse_key, unseal, unwrap
from audit.orders.state import restricted
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.record import commit_digest, digest_text, split_opening
from audit.tiles import WIDTH
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Corrupt, Fault
from contracts.text import Text, one_line

_COLUMNS = ("organisation", "app", "service_item", "action", "decision", "reason")
_ERASED = Text("密封内容已销毁", "opening erased")
_RESTRICTED = Text("密封内容已限制处理", "opening restricted")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `record` None: not an access record. `opening` None: not asked for, erased, or restricted."""

    index: int
    leaf_hash: bytes
    record: Mapping[str, Json] | None
    opening: Mapping[str, Json] | None
    erased: bool
    restricted: bool = False

    def as_json(self) -> Json:
        """All of it."""
        found: dict[str, Json] = {"index": self.index, "leaf_hash": digest_text(self.leaf_hash), "record": self.record}
        if self.opening is not None or self.erased or self.restricted:
            found["opening"] = self.opening
        return {**found, "restricted": True} if self.restricted else found

    def text(self) -> Text:
        """One line for a terminal."""
        if self.record is None:
            line = f"{self.index}  {digest_text(self.leaf_hash)}"
        else:
            facts = (str(self.record.get(name) or "-") for name in _COLUMNS)
            line = one_line("  ".join((str(self.index), _time(self.record.get("time")), *facts)))
        opening = "" if self.opening is None else "  " + canonical(self.opening).decode()
        if self.erased or self.restricted:
            why = _ERASED if self.erased else _RESTRICTED
            return Text(f"{line}  [{why.zh}]", f"{line}  [{why.en}]")
        return Text(line + opening, line + opening)


class Viewer:
    """A published log, and the auditor's key when openings are wanted: then the whole log is read once, for notices,
    unless `known` says of a size what is restricted."""

    def __init__(
        self,
        directory: Path,
        key: NoteKey,
        auditor: X25519PrivateKey | None,
        known: Callable[[LogReader, int], Ranges] = restricted,
    ) -> None:
        self._reader = LogReader(directory, key)
        self._head = self._reader.checkpoint()
        self._auditor = auditor
        self._keys: dict[bytes, DayKey] = {}
        self._restricted = NONE if auditor is None else known(self._reader, self._head.size)

    @property
    def head(self) -> Checkpoint:
        """The signed head under which everything is shown."""
        return self._head

    def newest(self, count: int) -> list[Line]:
        """The newest entries, oldest of them first."""
        return [self.line(index) for index in range(max(0, self._head.size - count), self._head.size)]

    def line(self, index: int) -> Line:
        """One entry, proved (rule 1); raises `Fault` `entry_unknown`."""
        entry = self._reader.entry(index, self._head.size)
        leaf = leaf_hash(entry)
        proof = self._reader.inclusion_proof(index, self._head.size)
        if not verify_inclusion(index, self._head.size, leaf, proof, self._head.root):
            raise Corrupt(f"entry {index} is not the one in the signed tree")
        record = _record(entry)
        if self._auditor is None:
            return Line(index, leaf, record, None, erased=False)
        if record is None or "commit" not in record:  # bytes, a notice, an auditor's search: nobody is committed to
            return Line(index, leaf, record, None, erased=False)
        row = self._reader.rows(index // WIDTH, self._head.size)[index % WIDTH]
        key_id = key_id_of(row)
        if key_id is None:
            return Line(index, leaf, record, None, erased=True)
        if index in self._restricted:
            return Line(index, leaf, record, None, erased=False, restricted=True)
        return Line(index, leaf, record, self._opening(index, row, key_id, record or {}), erased=False)

    def _opening(self, index: int, row: bytes, key_id: bytes, record: Mapping[str, Json]) -> Mapping[str, Json]:
        members, salt = split_opening(unseal(self._day_key(key_id), index, row))
        if record.get("commit") != commit_digest(salt, canonical(members)):
            raise Corrupt(f"the opening of entry {index} is not the one that its record committed to")
        return members

    def _day_key(self, key_id: bytes) -> DayKey:
        key = self._keys.get(key_id)
        if key is None:
            key = self._keys[key_id] = self._unwrapped(key_id)
        return key

    def _unwrapped(self, key_id: bytes) -> DayKey:
        try:
            stored = parse_key((self._reader.directory / key_path(key_id)).read_bytes())
        except FileNotFoundError:
            raise Fault("opening_unreadable", detail="its day key is not here") from None
        if self._auditor is None or stored.key_id != key_id:
            raise Fault("opening_unreadable")
        return unwrap(stored, self._auditor)


def _record(entry: bytes) -> Mapping[str, Json] | None:
    try:
        return parse_object(entry)
    except Fault:
        return None


def _time(milliseconds: Json) -> str:
    if type(milliseconds) is not int:
        return "-"
    return moment(milliseconds).isoformat(timespec="seconds").replace("+00:00", "Z")
