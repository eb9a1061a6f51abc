"""Which records an officer means: named by record id, by the key of their row, or by a holder.

1. Who is meant stands in a file or on standard input, one a line, never on the command line, where every process of
   the machine could read it:
       record ID
       key VALUE                 # several key columns: their values separated by a tab
       holder SCHEME IDENTIFIER
2. A key names its record, whether or not its row is still there. A holder is looked for in the rows of the source:
   the outbox does not know holders. What the source no longer holds is named by key or record id. A row whose holder
   or key cannot be read is counted: it may be the holder's.
3. A mistake names the line, never what stands there.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from adapters import contents
from adapters.config import StreamConfig
from adapters.mapping import ColumnFault, KeyName, holders_of, key_values
from adapters.outbox import Outbox
from adapters.outbox_journal import Closed
from contracts.errors import UserError
from contracts.identifiers import normalise
from contracts.text import Text

_RECORD = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_BAD_LINE = Text("第 {line} 行不是 record、key 或 holder", "Line {line} names no record, key or holder")
_FORMS = Text(
    "每行一条:record 记录号、key 主键值、holder 类型 号码。",
    "One a line: `record ID`, `key VALUE` or `holder SCHEME IDENTIFIER`.",
)
_KEYS = Text("第 {line} 行应有 {count} 个主键值", "Line {line} should have {count} key value(s)")
_TABS = Text("多列主键的各值用制表符分隔。", "Separate the values of several columns by tabs.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is meant, as read. Holders as (scheme, normalised identifier)."""

    records: frozenset[str] = frozenset()
    holders: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)


def read_wanted(lines: Iterable[str], where: str, name: KeyName, key_columns: int) -> Wanted:
    """The lines of rule 1; `name` gives the record id of key values. Raises `UserError`."""
    records: set[str] = set()
    holders: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, 1):
        kind, _, rest = line.strip().partition(" ")
        if kind == "record" and _RECORD.fullmatch(rest):
            records.add(rest)
        elif kind == "key":
            records.add(_named(rest, where, number, name, key_columns))
        elif kind == "holder" and len(pair := rest.split()) == 2:
            holders.add((pair[0], normalise(pair[0], pair[1])))
        elif kind and not kind.startswith("#"):
            raise UserError(_BAD_LINE.fill(line=number), where, _FORMS)
    return Wanted(frozenset(records), frozenset(holders))


def _named(text: str, where: str, number: int, name: KeyName, key_columns: int) -> str:
    values = key_values(text.split("\t"))
    if values is None or len(values) != key_columns:
        raise UserError(_KEYS.fill(line=number, count=key_columns), where, _TABS)
    return name(values)


def names_of(config: StreamConfig, outbox: Outbox, closed: Closed) -> KeyName:
    """The record ids that rows of this stream have now."""
    return contents.record_names(outbox.record_secret, config.stream, closed.readmitted)


def find(
    config: StreamConfig, wanted: Wanted, name: KeyName, advance: Callable[[int], None]
) -> tuple[frozenset[str], int]:
    """Every record that is meant, and how many rows could not be read (rule 2).

    Reads the source only where a holder is looked for; raises as it does.
    """
    found, unreadable = set(wanted.records), 0
    for row in config.rows() if wanted.holders else ():
        advance(1)
        try:
            record, holders = holders_of(config.mapping, row, name)
        except ColumnFault:
            record, holders = None, frozenset()
        unreadable += record is None
        if record is not None and holders & wanted.holders:
            found.add(record)
    return frozenset(found), unreadable
