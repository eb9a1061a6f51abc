"""Backup and restore of an adapter: its outbox, its keys, its configuration.

1. In a backup are the configuration, the files that it names (mappings and types too, sources not), and a copy of the
   outbox as it is at one instant, taken while the adapter may run; without what waits to be sent, so without contents.
2. An outbox from a backup is old: numbers that it would give have been given. So it never goes on where it stood. A
   restore begins a new epoch for each stream that the outbox knows, configured or not, above every one before: those
   of the outbox, and those of our own statements on the log, as far as their feed key is in the backup. It drops what
   was still to be sent; the next run restates everything, and what only the lost outbox had published is withdrawn or
   published again by that.
3. What was erased after the backup was made stays erased: the log is read for erasures first, and without the log
   nothing is restored. Their keys are believed as they stand, because the month's feed key may be lost with the outbox;
   a wrong one closes a record that `readmit` opens again.
4. Everything is checked beside its place before anything is put there; the outbox comes last. One that is moved aside
   takes along what SQLite keeps beside it: committed rows may be in there only.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import orjson

from adapters import outbox_journal
from adapters.backup_log import OwnStatements, read_log
from adapters.config import AdapterConfig, load
from adapters.outbox import Outbox
from adapters.outbox_file import Lock
from adapters.outbox_tables import StreamState
from contracts.edge import archive, backups
from contracts.edge.archive import Item, Manifest
from contracts.edge.backups import Made
from contracts.edge.clock import now_ms
from contracts.edge.config import parse_toml
from contracts.edge.scrubbing import VFS
from contracts.edge.transport import Transport, open_transport
from contracts.errors import Corrupt, UserError
from contracts.hpke import UnwrapKey, WrapKey
from contracts.streams import Stream
from contracts.text import Text

KIND = "adapter"
_PARTS = ("-wal", "-shm", "-journal")
_NO_OUTBOX = Text("尚无发件箱可备份", "There is no outbox to back up yet")
_RUN_FIRST = Text("请先运行适配器。", "Run the adapter first.")
_ERASE = """
INSERT INTO erased (stream, rec) SELECT ?1, value FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING
"""
_EMPTY = """
UPDATE records SET digest = NULL, file = NULL, line = NULL
WHERE stream = ?1 AND rec IN (SELECT value FROM json_each(?2))
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back. `epochs`: the new one of each stream, by evidence type; `erased`: records that the log
    says were erased and the backup still had; `aside`: where old files went."""

    manifest: Manifest
    config: Path
    epochs: dict[str, int]
    erased: int
    aside: Path | None


def make(config_path: Path, target: Path, to: WrapKey | None, also: Iterable[Path] = ()) -> Made:
    """Back up the adapter of a configuration."""
    config = load(config_path)
    if not config.outbox.exists():
        raise UserError(_NO_OUTBOX, str(config.outbox), _RUN_FIRST)
    named = [path for path in config.named if path.is_file() and path != config.outbox]
    schemas = [path.with_suffix(".schema.json") for path in named]
    files = [config_path, *named, *(path for path in schemas if path.is_file()), *also]
    base = backups.base_of([*files, config.outbox])
    facts = {
        "adapter": config.adapter,
        "config": backups.normal(config_path).relative_to(base).as_posix(),
        "outbox": backups.normal(config.outbox).relative_to(base).as_posix(),
        "base": str(base),
    }
    with TemporaryDirectory(prefix=".backup-", dir=config.outbox.parent) as name:
        copied = Path(name) / "outbox"
        _copy(config.outbox, copied)
        items = [*archive.names(backups.files_of(files), base), Item(facts["outbox"], copied)]
        return backups.make(target, KIND, config.adapter, facts, items, to)


def _copy(outbox: Path, copied: Path) -> None:
    """The outbox at one instant, by SQLite's own backup."""
    copied.touch(0o600)
    with (
        closing(apsw.Connection(str(outbox), flags=apsw.SQLITE_OPEN_READWRITE, vfs=VFS)) as source,
        closing(apsw.Connection(str(copied))) as target,
    ):
        source.set_busy_timeout(30_000)
        with target.backup("main", source, "main") as work:
            work.step()
        target.pragma("secure_delete", "ON")
        target.execute("DELETE FROM pending")  # what a restore would drop: so no content is ever in a backup
        target.execute("VACUUM")


# --- restore -----------------------------------------------------------------------------------------------------


def restore(
    file: Path, key: UnwrapKey | None, into: Path, replace: bool, advance: Callable[[int], None] = lambda _: None
) -> Restored:
    """Bring an adapter back into the directory `into`. Raises `UserError`, `LogUnavailable` (rule 3), `Corrupt`."""
    into = backups.normal(into)
    with archive.staging(into) as staged, ExitStack() as stack:
        manifest = archive.unpack(file, KIND, key, staged)
        archive.require(manifest, file, ("adapter",), ("config", "outbox"))
        backups.refuse_earlier(manifest)
        place = manifest.facts["config"]
        config, outbox = load(staged / place), into / manifest.facts["outbox"]
        backups.refuse_elsewhere(manifest, into, manifest.facts["outbox"], backups.final(config.outbox, staged, into))
        if outbox.parent.is_dir():
            stack.enter_context(Lock(outbox))
        epochs, erased = _renew(staged / manifest.facts["outbox"], config, _log(config, staged / place, into), advance)
        aside = backups.aside(into) if replace else None
        if aside is not None and outbox.exists():
            _settle(outbox)
        archive.install(staged, manifest, into, aside, parts=[manifest.facts["outbox"] + part for part in _PARTS])
    moved = aside if aside is not None and aside.exists() else None
    return Restored(manifest, into / place, epochs, erased, moved)


def _log(config: AdapterConfig, staged: Path, into: Path) -> Transport:
    """The log that the configuration names: an embedded one is found from where the file will be, not from here."""
    text = staged.read_text("utf-8")
    log = parse_toml(text, staged).section("log")
    if log.text("kind") != "embedded":
        return config.transport  # its passwords and certificates lie beside it here
    final = into / staged.relative_to(next(one for one in staged.parents if one.parent == into))
    return open_transport(parse_toml(text, final).section("log"))


def _renew(
    outbox: Path, config: AdapterConfig, log: Transport, advance: Callable[[int], None]
) -> tuple[dict[str, int], int]:
    """Rules 2 and 3, in the unpacked outbox; the new epochs, and how many records were erased by that."""
    _check(outbox)
    epochs, erased = {}, 0
    with Outbox(outbox, config.organisation, config.adapter) as opened:
        for name in _known_types(opened):
            state = opened.known_stream(name)
            if state is None:
                continue
            ours = OwnStatements(opened, state, Stream(config.organisation, config.adapter, name), config.key.public)
            erasures, highest = read_log(log, ours, advance)
            erased += _erase(opened, state, erasures)
            at = max(now_ms(), highest + 1)
            epochs[name] = outbox_journal.begin_epoch(opened, state, at, "restored from a backup")
        opened.tidy()
    return epochs, erased


def _known_types(outbox: Outbox) -> list[str]:
    with outbox.looking() as db:
        return [name for (name,) in db.execute("SELECT type FROM streams ORDER BY id")]


def _settle(outbox: Path) -> None:
    """Bring committed rows from the WAL into the file itself, if that can be; else both are moved (rule 4)."""
    with suppress(apsw.Error), closing(apsw.Connection(str(outbox), apsw.SQLITE_OPEN_READWRITE, vfs=VFS)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _check(outbox: Path) -> None:
    try:
        with closing(apsw.Connection(str(outbox), vfs=VFS)) as db:
            found = db.execute("PRAGMA quick_check(1)").get
    except apsw.Error as error:
        raise Corrupt(f"outbox: {error}") from error
    if found != "ok":
        raise Corrupt(f"outbox: {found}")


def _erase(outbox: Outbox, state: StreamState, records: set[str]) -> int:
    known = outbox_journal.closed(outbox, state).erased
    new = sorted(records - known)
    with outbox.transaction() as db:
        bindings = (state.id, orjson.dumps(new).decode())
        db.execute(_ERASE, bindings)
        db.execute(_EMPTY, bindings)
    return len(new)
