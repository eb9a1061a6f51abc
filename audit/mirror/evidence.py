"""What the mirror keeps as proof: a signed head that it does not follow, and the one that it held then.

1. `evidence/SLOT/REASON-SIZE-ROOT.checkpoint` and `.held`, durable.
2. At most `MAX_KEPT` of each reason: whoever shows old heads without end leaves room for the proof of a fork. What is
   not kept is said to be so.
"""

import threading
from pathlib import Path

from audit.checkpoints import open_note
from audit.disk import Disk
from audit.mirror.copy import Refusal
from audit.notes import NoteKey

MAX_KEPT = 64

_WRITING = threading.Lock()  # the same head may come by two gateways at once


def keep(directory: Path, key: NoteKey, refusal: Refusal) -> str:
    """What to say of it. `directory`: of the log's evidence; `key`: the log's. Raises OSError."""
    head, _ = open_note(refusal.note, key)
    path = directory / f"{refusal.reason}-{head.size}-{head.root.hex()[:16]}.checkpoint"
    with _WRITING:
        if not path.exists():
            if sum(1 for _ in directory.glob(f"{refusal.reason}-*.checkpoint")) >= MAX_KEPT:
                return f"{refusal.detail}; not kept: there are {MAX_KEPT} such proofs"
            Disk().replace_all({path: refusal.note, path.with_suffix(".held"): refusal.held})
    return f"{refusal.detail}; evidence: {path.name}"
