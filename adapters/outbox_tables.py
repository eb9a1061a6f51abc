"""What the outbox holds: its tables, and their rows as values. Pure."""

from dataclasses import dataclass

from contracts.encoding import Json
from contracts.streams import Position

APPLICATION_ID = 0x6F676F31  # "ogo1"
SCHEMA = f"""
PRAGMA page_size = 8192;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS owner (
  organisation TEXT NOT NULL,
  adapter TEXT NOT NULL,
  record_secret BLOB NOT NULL,   -- names records
  content_secret BLOB NOT NULL   -- digests contents
) STRICT;
CREATE TABLE IF NOT EXISTS streams (
  id INTEGER PRIMARY KEY,
  type TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL,        -- Unix ms
  next_seq INTEGER NOT NULL,
  next_at INTEGER,               -- Unix s: when the next statement was promised; NULL before the first
  full_at INTEGER                -- Unix s: the last full statement
) STRICT;
CREATE TABLE IF NOT EXISTS feed_keys (
  stream INTEGER NOT NULL,
  month TEXT NOT NULL,           -- YYYY-MM, UTC
  zone_kid TEXT NOT NULL,
  secret BLOB NOT NULL,
  header BLOB NOT NULL,          -- with the wrapped secret: the same bytes all month
  PRIMARY KEY (stream, month, zone_kid)
) STRICT;
CREATE TABLE IF NOT EXISTS records (
  stream INTEGER NOT NULL,
  rec TEXT NOT NULL,
  seq INTEGER NOT NULL,
  digest BLOB,                   -- keyed digest of the content; NULL: withdrawn
  identity TEXT NOT NULL,
  PRIMARY KEY (stream, rec)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  stream INTEGER NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  stream INTEGER NOT NULL,
  at INTEGER NOT NULL,           -- Unix s
  state TEXT NOT NULL,           -- published | braked | approved | superseded
  plan TEXT NOT NULL,            -- its digest
  report TEXT NOT NULL           -- JSON
) STRICT;
COMMIT;
"""
PUBLISHED, BRAKED, APPROVED, SUPERSEDED = "published", "braked", "approved", "superseded"


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands. Times in Unix s, None before the first statement."""

    id: int
    epoch: int
    next_seq: int
    next_at: int | None
    full_at: int | None

    @property
    def position(self) -> Position:
        """The last number given."""
        return Position(self.epoch, self.next_seq - 1)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed message: `digest` of its content, None for a withdrawal; `value` is what goes to the log."""

    record: str
    seq: int
    digest: bytes | None
    identity: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the log that is not known to be written yet."""

    id: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one stream."""

    id: int
    stream: int
    at: int
    state: str
    plan: str
    report: Json
