"""What a witness remembers: for each log the last checkpoint that it cosigned, with both signatures.

1. One process: an exclusive lock on the directory.
2. `keep` returns when the checkpoint is durable; only then may a cosignature leave (`checkpoint` is the record of it).
3. What is read back must verify under the log's key and the witness's own; otherwise it is `Corrupt`, and the witness
   does not start: starting over would cosign a second history.
4. Evidence: checkpoints that a log signed and that were not shown to extend what was cosigned, beside the head held
   then. At most `MAX_EVIDENCE` of each kind for a log: what a stranger can cause takes no place of what proves a fork.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from audit.checkpoints import Checkpoint, open_note
from audit.disk import Disk, lock
from audit.notes import NoteKey
from audit.witness.protocol import Head, origin_hash
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

MAX_EVIDENCE = 64

_LOCKED = Text("该见证库正由另一进程使用", "Another process uses this witness's store")
_LOCKED_REMEDY = Text("一个见证库只能有一个进程。", "A store has exactly one process: stop the other one.")


class WitnessStore:
    """A directory; `origin_hash(origin)` names the files of a log. Not for threads: the witness has a lock."""

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        """Raises `UserError` when another process has it, OSError."""
        self._disk = disk or Disk()
        self._directory = directory
        self._disk.sync_directories(self._disk.make_directories([directory]))
        descriptor = lock(directory / "lock")
        if descriptor is None:
            raise UserError(_LOCKED, str(directory), _LOCKED_REMEDY)
        self._lock = descriptor

    def heads(self, logs: Mapping[str, NoteKey], own: NoteKey) -> dict[str, Head]:
        """The recorded head of each log by origin (rule 3); raises `Corrupt`."""
        return {origin: self._head(key, own) for origin, key in logs.items()}

    def note(self, name: str) -> bytes | None:
        """The recorded checkpoint with its signatures; `name` is an `origin_hash`."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, origin: str, note: bytes) -> None:
        """Record a cosigned checkpoint, durably (rule 2); raises OSError."""
        self._disk.replace(self._path(origin_hash(origin)), note)

    def keep_evidence(self, kind: str, signed: Checkpoint, note: bytes) -> Path | None:
        """Rule 4: where it is, or None when there are too many of its kind; raises OSError."""
        name = origin_hash(signed.origin)
        directory = self._directory / "evidence" / name
        path = directory / f"{kind}-{signed.size}-{signed.root.hex()[:16]}.checkpoint"
        if path.exists():
            return path
        if len(list(directory.glob(f"{kind}-*.checkpoint"))) >= MAX_EVIDENCE:
            return None
        held = self.note(name)
        files = {path: note} if held is None else {path: note, path.with_suffix(".held"): held}
        self._disk.replace_all(files)
        return path

    def close(self) -> None:
        """Give up the lock."""
        os.close(self._lock)

    def _head(self, log: NoteKey, own: NoteKey) -> Head:
        note = self.note(origin_hash(log.name))
        if note is None:
            return Head()
        try:
            checkpoint, cosigned = open_note(note, log, [own])
        except Fault as fault:
            raise Corrupt(f"the recorded checkpoint of {log.name} does not verify: {fault.code}") from None
        if not cosigned:
            raise Corrupt(f"the recorded checkpoint of {log.name} was not cosigned by this witness's key")
        return Head(checkpoint.size, checkpoint.root)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.checkpoint"
