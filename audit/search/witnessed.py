"""Which witnesses cosigned the checkpoints of a sample. Pure.

1. A witness is known by its verifier key (a note key of type 0x04). Each checkpoint needs a valid cosignature of one of
   the witnesses that are named; a line that does not verify is none.
2. The document names every cosignature that counted: log, witness, and the time that the witness gave. The lines are on
   its checkpoints, so anybody can check them. Its witnesses are those that whoever drew has named: who checks names
   theirs.
"""

from collections.abc import Mapping, Sequence

from audit.cosignatures import Cosignature, of_note
from audit.notes import COSIGNATURE, NoteKey, parse_vkey
from audit.search.output import time_text
from contracts.encoding import Json
from contracts.errors import Fault, UserError
from contracts.text import Text

_NO_WITNESS = Text("不是见证者的公钥", "Not the key of a witness")
_WITNESS_FORM = Text(
    "请用见证者给出的 .vkey 文件中的一行。", "Give the line of the .vkey file that the witness's keygen made."
)


def witness_of(text: str) -> NoteKey:
    """The key of a witness as written; raises `UserError`."""
    try:
        key = parse_vkey(text.strip())
    except Fault:
        key = None
    if key is None or key.kind != COSIGNATURE:
        raise UserError(_NO_WITNESS, text, _WITNESS_FORM)
    return key


def cosignatures(notes: Sequence[bytes], witnesses: Sequence[NoteKey]) -> list[Json]:
    """Every cosignature that counts, as a document has it (rule 2), in order of the checkpoints and their lines."""
    return [
        {"log": origin_of(note), "witness": one.key.vkey, "time": time_text(one.time * 1000)}
        for note in notes
        for one in _counted(note, witnesses)
    ]


def not_cosigned(notes: Sequence[bytes], witnesses: Sequence[NoteKey]) -> list[str]:
    """Origins of the checkpoints that none of these witnesses cosigned (rule 1)."""
    return [origin_of(note) for note in notes if not _counted(note, witnesses)]


def witnesses_of(document: Mapping[str, Json]) -> tuple[NoteKey, ...]:
    """The witnesses that a document names; raises KeyError, TypeError, `UserError` for what is none."""
    return tuple(witness_of(vkey) for vkey in dict.fromkeys(one["witness"] for one in document["cosigned"]))


def origin_of(note: bytes) -> str:
    """The log that a checkpoint says it is of."""
    return note.partition(b"\n")[0].decode("utf-8", "replace")


def _counted(note: bytes, witnesses: Sequence[NoteKey]) -> list[Cosignature]:
    try:
        return of_note(note, witnesses)
    except Fault:
        return []
