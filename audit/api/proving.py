"""Single entries of the logs behind an index: with a live proof, and opened.

What is shown of an entry is checked first: under the signed head of the copy, and that head against what was indexed. A
copy that is away is `index_unavailable`, one that does not add up `copy_altered`: that is an alarm, not an answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.api.lanes import Work
from audit.api.restrictions import Restrictions
from audit.notes import parse_vkey
from audit.search.query import Hit, Log
from audit.show import Line, Viewer
from contracts.errors import Corrupt, Fault, UserError


def entry(work: Work, origin: str, position: int) -> tuple[bytes, str]:
    """An indexed entry and its proof; raises `Fault` `entry_unknown`."""
    log = log_of(work, origin, position)
    with _copy():
        found, proof = work.index.proved(log, position)
        return found, proof.encode().decode()


def proof_text(work: Work, hit: Hit) -> str:
    """A fresh c2sp.org/tlog-proof@v1 of a hit."""
    with _copy():
        return work.index.proof(hit).encode().decode()


def opened(work: Work, origin: str, position: int, private: X25519PrivateKey, restrictions: Restrictions) -> Line:
    """An indexed entry with its opening, unless it is restricted; raises `Fault`: unknown, or unreadable."""
    log = log_of(work, origin, position)
    with _copy():
        work.index.proved(log, position)  # the copy is where it was, and the log that was indexed
        return Viewer(Path(log.directory), parse_vkey(log.vkey), private, restrictions.of).line(position)


def log_of(work: Work, origin: str, position: int) -> Log:
    """The log, if the index has this entry; raises `Fault` `entry_unknown`."""
    for log in work.index.logs.values():
        if log.origin == origin and position < log.size:
            return log
    raise Fault("entry_unknown")


@contextmanager
def _copy() -> Iterator[None]:
    try:
        yield
    except Corrupt:
        raise Fault("copy_altered") from None
    except UserError as error:
        raise Fault("index_unavailable", detail=error.what.en) from None
