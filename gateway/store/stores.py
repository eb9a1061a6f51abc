"""The stores of a node, and which one is current: `data/stores/<n>.sqlite`, and a file `current` that names one.

1. `current` is replaced atomically: whoever looks sees the old store or the new one, both complete. Serving processes
   look twice a second, ingest between two batches.
2. A number is never used twice while anything of its store is there; a new store has the highest one plus one.
3. The store keys stand one after the other in one 0600 file, 32 bytes each. The first is for new stores, each opens the
   stores made with it. The file is read at each opening, so that a key can be replaced while processes run.
4. Nothing is removed that is current or that somebody writes. Keys that open no store any more go with the last one;
   if a store cannot be asked which key it needs, nothing is removed.
5. Before stores had a directory there was `data/store.sqlite`: number 0, only ever listed and removed.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from contracts.edge import keys, scrubbing
from contracts.edge.files import write_atomic
from contracts.errors import UserError
from contracts.text import Text
from gateway.store import database
from gateway.store.reader import Reader
from gateway.store.sealing import KEY_SIZE, split_keys, unwrap_key

SUFFIX = ".sqlite"
FIRST = 1
LEGACY = 0

_NOT_THERE = Text("没有编号为 {number} 的存储", "There is no store {number}")
_SEE_LIST = Text("用 oncegate store list 查看。", "See `oncegate store list`.")
_IN_USE = Text("存储 {number} 是当前存储", "Store {number} is the current one")
_SWITCH_FIRST = Text("请先切换到另一个存储。", "Switch to another one first.")
_OUTDATED = Text("存储格式 {version} 已过时", "The store has the old format {version}")
_BUILD = Text(
    "请运行 oncegate store build --switch,从日志重建后再启动。",
    "Run `oncegate store build --switch`: it builds a new one from the log. Then start again.",
)
_UNREADABLE = Text("当前存储的标记无法读取", "The mark of the current store cannot be read")
_MARK_ANEW = Text("请运行 oncegate store switch 指定一个。", "Name one with `oncegate store switch`.")
_UNASKED = Text("无法得知该存储需要哪个密钥:{why}", "It cannot be told which key this store needs: {why}")
_AGAIN = Text("什么都没有删除;请稍后再试。", "Nothing was removed; try again later.")


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores in `directory`, opened with the keys in `key_file`. Safe from several threads and processes."""

    directory: Path
    key_file: Path

    @property
    def _mark(self) -> Path:
        return self.directory / "current"

    @property
    def _legacy(self) -> Path:
        return self.directory.parent / "store.sqlite"

    def path(self, number: int) -> Path:
        """Where store `number` is, or would be."""
        return self._legacy if number == LEGACY else self.directory / f"{number}{SUFFIX}"

    def numbers(self) -> list[int]:
        """The stores that are there."""
        names = (path.name.removesuffix(SUFFIX) for path in self.directory.glob(f"*{SUFFIX}"))
        found = sorted(int(name) for name in names if name.isdecimal())
        return [LEGACY, *found] if self._legacy.exists() else found

    def current(self) -> int | None:
        """The number of the current store; None if there is none yet. Raises `UserError`."""
        try:
            return int(self._mark.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise UserError(_UNREADABLE, str(self._mark), _MARK_ANEW) from None

    def marked(self) -> int | None:
        """As `current`; None also if the mark cannot be read: for whoever puts another in its place."""
        try:
            return self.current()
        except UserError:
            return None

    def current_path(self) -> Path:
        """The file of the current store; raises `StoreAbsent`, and `UserError` if there is only one of rule 5."""
        number = self.current()
        if number is not None:
            return self.path(number)
        if self._legacy.exists():
            raise UserError(_OUTDATED.fill(version=1), str(self._legacy), _BUILD)
        raise database.StoreAbsent(self.path(FIRST))

    def first(self) -> Path:
        """The file of the current store; if there is none yet, the first one is from now on. Raises `UserError`."""
        try:
            return self.current_path()
        except database.StoreAbsent:
            with self._alone():
                database.create_if_absent(self.path(FIRST), self.keys())
            self.switch(FIRST)
            return self.path(FIRST)

    def new(self) -> int:
        """The number of a new, empty store."""
        with self._alone():
            number = max((*self.numbers(), self.marked() or 0)) + 1
            database.create_if_absent(self.path(number), self.keys())
            return number

    def switch(self, number: int) -> None:
        """Make store `number` the current one, atomically and durably. Raises `UserError`."""
        if number == self.marked():
            return
        with self.open(number):
            pass  # it is of this format, and our keys open it
        with self.unwritten(number):  # nobody is still building it, nor removes it meanwhile
            write_atomic(self._mark, b"%d\n" % number)

    def open(self, number: int) -> Reader:
        """A reader of store `number`; raises as `Reader`, `UserError` if it is not there."""
        if number == LEGACY or not self.path(number).exists():
            raise UserError(_NOT_THERE.fill(number=number), str(self.directory), _SEE_LIST)
        return Reader(self.path(number), self.keys())

    def open_current(self) -> Reader:
        """A reader of the current store; raises as `Reader`."""
        return Reader(self.current_path(), self.keys())

    def remove(self, number: int) -> None:
        """Remove store `number` with all its files, and the keys that only it had (rule 4). Raises `UserError`."""
        path = self.path(number)
        if number not in self.numbers():
            raise UserError(_NOT_THERE.fill(number=number), str(self.directory), _SEE_LIST)
        if number == self.current():
            raise UserError(_IN_USE.fill(number=number), str(path), _SWITCH_FIRST)
        with self._alone(), self.unwritten(number):
            if number == self.current():  # since we looked
                raise UserError(_IN_USE.fill(number=number), str(path), _SWITCH_FIRST)
            needed = self._needed_without(number)
            for suffix in ("-wal", "-shm", ".lock", ""):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            if needed != self.keys():
                write_atomic(self.key_file, needed, 0o600)

    def unwritten(self, number: int) -> "_Locked":
        """For a `with`: nobody writes store `number` meanwhile. Raises `UserError` if somebody does."""
        return _Locked(self.path(number))

    def is_written(self, number: int) -> bool:
        """Whether somebody writes store `number` now."""
        try:
            with self.unwritten(number):
                return False
        except UserError:
            return True

    # --- keys (rule 3) ---------------------------------------------------------------------------------------

    def keys(self) -> bytes:
        """The key-encryption keys, one after the other; raises `UserError`."""
        data = keys.load_secret(self.key_file)
        try:
            split_keys(data)
        except UserError as error:
            raise UserError(error.what, str(self.key_file), error.remedy) from None
        return data

    def add_key(self) -> None:
        """A new key for new stores; the others stay as long as stores need them."""
        with self._alone():
            write_atomic(self.key_file, secrets.token_bytes(KEY_SIZE) + self.keys(), 0o600)

    def _needed_without(self, number: int) -> bytes:
        """The keys that there must be once store `number` is gone; raises `UserError` if that cannot be told."""
        first, *others = split_keys(self.keys())
        staying = [self.path(one) for one in self.numbers() if one != number]
        wrapped = [data for path in staying if (data := _wrapped(path)) is not None] if others else []
        return b"".join((first, *(key for key in others if any(_opens(key, data) for data in wrapped))))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else makes or removes a store or a key meanwhile: a key belongs to a store from its beginning on."""
        self.directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.directory / "keys.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@dataclass(slots=True)
class _Locked:
    path: Path
    _descriptor: int = -1

    def __enter__(self) -> None:
        self._descriptor = database.lock_writer(self.path)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _wrapped(path: Path) -> bytes | None:
    """The wrapped data key of a store, whatever its format; None if the file is none or damaged: no key opens that.

    Raises `UserError` for what may pass: its key is still needed then.
    """
    flags, vfs = apsw.SQLITE_OPEN_READWRITE, scrubbing.VFS
    try:
        with (
            suppress(apsw.NotADBError, apsw.CorruptError),
            closing(apsw.Connection(str(path), flags=flags, vfs=vfs)) as db,
        ):
            if db.table_exists(None, "keys"):
                data: bytes | None = db.execute("SELECT wrapped FROM keys").get
                return data
    except apsw.Error as error:
        raise UserError(_UNASKED.fill(why=error), str(path), _AGAIN) from None
    return None


def _opens(key: bytes, wrapped: bytes) -> bool:
    try:
        unwrap_key(wrapped, key, "")
    except UserError:
        return False
    return True
