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
# What later versions added, in order. `user_version` counts those that a file has; none is ever changed or removed.
UPGRADES = (
    """
ALTER TABLE records ADD COLUMN file TEXT;       -- where the published row stood
ALTER TABLE records ADD COLUMN line INTEGER;
ALTER TABLE streams ADD COLUMN restates INTEGER NOT NULL DEFAULT 0;  -- 1: the epoch has begun, nothing is restated yet
CREATE TABLE erased (
  stream INTEGER NOT NULL,
  rec TEXT NOT NULL,
  readmitted INTEGER NOT NULL DEFAULT 0,  -- 1: its row may be published again, as another record
  PRIMARY KEY (stream, rec)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  stream INTEGER NOT NULL,
  at INTEGER NOT NULL,           -- Unix s
  act TEXT NOT NULL,             -- erase | readmit | new-epoch
  state TEXT NOT NULL,           -- requested | approved | done
  reason TEXT NOT NULL,          -- the officer's words; leave this file nowhere else
  records TEXT NOT NULL,         -- JSON: record ids
  done_at INTEGER                -- Unix s
) STRICT;
""",
)
PUBLISHED, BRAKED, APPROVED, SUPERSEDED = "published", "braked", "approved", "superseded"


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands. Times in Unix s, None before the first statement.

    `restates`: the epoch is new; what is live was published in the former one and is still to be published again.
    """

    id: int
    epoch: int
    next_seq: int
    next_at: int | None
    full_at: int | None
    restates: bool = False

    @property
    def position(self) -> Position:
        """The last number given."""
        return Position(self.epoch, self.next_seq - 1)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed message: `digest` of its content, None without one; `value` is what goes to the log, under each of
    `keys`. `file` and `line`: where its row stood."""

    record: str
    seq: int
    digest: bytes | None
    identity: str
    value: bytes
    keys: tuple[bytes, ...]
    file: str | None = None
    line: int | None = None


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
