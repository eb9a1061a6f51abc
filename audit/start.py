"""Opening a log for writing: what it is, who may, and from where it goes on.

1. The directory and the log's name in `head_dir` are claimed first (`claim`), and held by whoever opened the log: of
   one host or of several that share `head_dir`, one writes.
2. What is known outside (`head_dir`, and the heads that witnesses and the mirror hold) is read before anything is
   written. A log that has entries does not start with an empty `head_dir`.
3. Recovery reads the published head and the durable frames after it (`recovery`), and refuses what is older than, or
   not the log of, the outside head.
4. The last segment is copied to a new file without its torn tail, then what was not published yet is published.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from audit.checkpoints import Checkpoint, open_note
from audit.claim import claim
from audit.derive import Edge
from audit.disk import Disk
from audit.merkle import EMPTY_ROOT, Tree
from audit.notes import NoteSigner
from audit.publish import Press
from audit.reader import COSIGNED, MIRRORED, LogReader
from audit.recovery import Segment, check_head, is_new, recover
from audit.segments import SegmentWriter, resume
from audit.succession import ending_of
from contracts.algorithms import SigningKey
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

_NOT_ED25519 = Text("日志签名密钥必须是 Ed25519(EdDSA)", "A log is signed with an Ed25519 key (EdDSA)")
_BAD_ORIGIN = Text(
    "日志名称不能为空,也不能含空格或加号", "The origin of a log is not empty and has no space or plus sign"
)
_NEW_LOG_KEY = Text("请为该日志生成 Ed25519 密钥。", "Create an Ed25519 key for this log.")
_CHOOSE_ORIGIN = Text("请在注册库中改正 origin。", "Correct its origin in the registry.")
_MOUNT = Text("请挂载该存储,或先创建该目录。", "Mount that storage, or create the directory first.")
_NO_HEAD = Text(
    "head_dir 中没有该日志的检查点,而日志已发布 {size} 条", "head_dir has no head of this log, which has {size} entries"
)
_FIRST_USE = Text(
    "请检查该存储是否已挂载,或检查点被谁移走。若首次使用 head_dir,请执行:cp {own} {head}",
    "Is that storage mounted? Who took the head away? If head_dir is used for the first time: cp {own} {head}",
)
_NO_HEAD_DIR = Text("head_dir 不是目录(存储未挂载?)", "head_dir is not a directory (is the storage mounted?)")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and how often. Times in seconds."""

    batch: int = 1024  # entries in a frame
    publish_seconds: float = 1.0
    segment_bytes: int = 64 * 1024 * 1024
    segment_seconds: float = 900.0
    unpublished: int = 500_000  # entries held in memory before appends wait


MIRRORED_LIMITS = Limits(publish_seconds=0.05)  # answers wait for a head that a mirror has seen


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What a log is. `origin` names it; `auditor` is who may open its openings.

    `head_dir`: a directory on other storage for the highest head. `heads`: signed checkpoints that witnesses or a
    mirror hold. With neither a rollback is undetectable here.
    """

    directory: Path
    origin: str
    signing_key: SigningKey
    auditor: X25519PublicKey
    head_dir: Path | None = None
    limits: Limits = Limits()
    heads: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """What an open log begins with."""

    settings: LogSettings
    disk: Disk
    reader: LogReader
    press: Press
    tree: Tree
    edge: Edge
    published: Checkpoint
    segment: SegmentWriter
    older: list[Segment]
    claims: ExitStack = field(default_factory=ExitStack)  # closing it lets others write

    @property
    def successor(self) -> str | None:
        """Of a closed log: the origin that goes on from it. (Everything durable is published by now.)"""
        size = self.published.size
        ended = ending_of(self.reader.entry(size - 1, size), self.published) if size else None
        return None if ended is None else ended.successor


def prepare(settings: LogSettings, disk: Disk) -> Start:
    """Rules 1 to 4. Raises `UserError`, `Corrupt`, OSError; nothing is claimed then."""
    signer = signer_of(settings)
    head = _head_path(settings)
    disk.sync_directories(disk.make_directories([settings.directory / "frames"]))
    with ExitStack() as claims:
        own = claims.enter_context(claim(disk, settings.directory / "lock"))
        if head is not None:
            claims.enter_context(claim(disk, head.with_suffix(".lock")))
        start = _recover(settings, Press(disk, settings.directory, signer, head, own))
        return replace(start, claims=claims.pop_all())


def _recover(settings: LogSettings, press: Press) -> Start:
    disk, directory = press.disk, settings.directory
    reader = LogReader(directory, press.signer.public)
    outside = press.look()
    known = [_verified(note, press, where) for where, note in _known(settings, press.head, outside, reader)]
    if is_new(directory):
        _begin(press, known)
    published = _verified(reader.note(), press, str(directory / "checkpoint"))
    if press.head is not None and outside is None and published.size:
        raise _without_head(settings, press.head, published.size)
    recovered = recover(reader, published)
    for head in known:
        check_head(head, reader, published, recovered)
    segment, older = resume(disk, directory, recovered)
    edge = recovered.edge
    if recovered.batches:
        edge, published = press.publish(edge, recovered.batches)
    return Start(settings, disk, reader, press, recovered.tree, edge, published, segment, older)


def _begin(press: Press, known: Sequence[Checkpoint]) -> None:
    most = max((head.size for head in known), default=0)
    if most:
        raise Corrupt(f"the log directory is empty, but {most} entries were published")
    SegmentWriter.opening(press.disk, press.directory, 0).finish()
    press.disk.replace(press.directory / "vkey", press.signer.public.vkey.encode() + b"\n")
    press.sign(Checkpoint(press.signer.public.name, 0, EMPTY_ROOT))


def _known(
    settings: LogSettings, head: Path | None, outside: bytes | None, reader: LogReader
) -> Iterator[tuple[str, bytes]]:
    """Rule 2: each head that is known outside, and where that was read. A file that does not verify any more refuses
    the start as well: whoever put an older log back would else just spoil it."""
    kept = (outside, reader.cosigned_note(), reader.mirrored_note())
    places = (head, settings.directory / COSIGNED, settings.directory / MIRRORED)
    yield from ((str(place), note) for place, note in zip(places, kept, strict=True) if note is not None)
    yield from (("the head that a witness holds", note) for note in settings.heads)


def _without_head(settings: LogSettings, head: Path, size: int) -> UserError:
    """Rule 2. A mount point without its mount is a directory, too: an older copy of the log would start from there, and
    a lock in it would keep no other host away. So whoever uses `head_dir` for the first time says so."""
    own, other = (shlex.quote(str(path)) for path in (settings.directory / "checkpoint", head))
    return UserError(_NO_HEAD.fill(size=size), str(settings.head_dir), _FIRST_USE.fill(own=own, head=other))


def _verified(note: bytes, press: Press, where: str) -> Checkpoint:
    try:
        return open_note(note, press.signer.public)[0]
    except Fault as fault:
        raise Corrupt(f"{where}: it does not verify under this log's key: {fault.code}") from None


def signer_of(settings: LogSettings) -> NoteSigner:
    """Who signs the log's heads; raises `UserError` for a key or a name that cannot."""
    if settings.signing_key.suite.alg != "EdDSA":
        raise UserError(_NOT_ED25519, settings.origin, _NEW_LOG_KEY)
    try:
        return NoteSigner.of(settings.origin, settings.signing_key.key)
    except Fault:
        raise UserError(_BAD_ORIGIN, settings.origin, _CHOOSE_ORIGIN) from None


def _head_path(settings: LogSettings) -> Path | None:
    if settings.head_dir is None:
        return None
    if not settings.head_dir.is_dir():  # not created: storage that is not mounted would look like a fresh start
        raise UserError(_NO_HEAD_DIR, str(settings.head_dir), _MOUNT)
    return settings.head_dir / f"{quote(settings.origin, safe='')}.checkpoint"
