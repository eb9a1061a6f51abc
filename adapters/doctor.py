"""`oncegate-adapter doctor`: is everything all right at the department? Reads only.

1. Configuration, key and zone key load; the key and the outbox are private.
2. Every source can be read and has the columns that the mapping needs: its first row is read, nothing more.
3. The outbox belongs to this adapter; nothing waits in it without reason, no run waits for a person, and no promised
   statement is overdue.
4. The log answers, the adapter's topics are there, and it may write these and no others.
5. Correction requests that wait for an answer are told (`doctor_corrections`).
6. What the registry says of the key, a department cannot see: compare its id with the security officer's.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from adapters import doctor_corrections
from adapters.config import AdapterConfig, load
from adapters.outbox_tables import APPLICATION_ID, BRAKED
from contracts.algorithms import SUITES
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.config import Section, read_toml
from contracts.edge.doctor import clock, cluster, disk, files, machine, message_log
from contracts.edge.doctor.disk import Place
from contracts.edge.doctor.examine import KNOWN, Check, Lazy, Missing, examine, of_error
from contracts.edge.doctor.finding import Finding, Told, failed, ok, warning
from contracts.edge.doctor.locks import is_held
from contracts.edge.doctor.show import report
from contracts.edge.doctor.sqlite import reading
from contracts.edge.transport import Transport
from contracts.errors import UserError
from contracts.text import Text

CONFIGURATION: Final = Text("配置", "configuration")
OUTBOX: Final = Text("发件箱", "outbox")
SOURCES: Final = Text("数据源", "sources")
KEY: Final = Text("适配器密钥", "Adapter key")
GRACE_S: Final = 60
_LOG_SECRETS: Final = ("password_file", "token_file", "private_key")

_ABSENT = Text("发件箱尚不存在", "There is no outbox yet")
_FIRST_RUN = Text(
    "首次运行时创建;若曾有过,请从备份恢复。", "The first run makes it; if there was one, restore it from the backup."
)
_ANOTHER = Text("发件箱属于另一适配器 {who}", "The outbox belongs to another adapter, {who}")
_OWN_FILE = Text("每个适配器使用自己的 outbox 文件。", "Each adapter has an outbox of its own.")
_NOT_OUTBOX = Text("这不是发件箱", "The file is not an outbox")
_WAITING = Text("{count} 条记录等待写入消息日志", "{count} entries wait for the message log")
_RUN = Text("请检查消息日志后运行 oncegate-adapter run。", "Look at the log, then oncegate-adapter run.")
_BRAKED = Text("运行 {run} 被刹停,在批准前不会发布", "Run {run} is braked: nothing is published until a person looks")
_APPROVE = Text(
    "请核对数据源;无误则 oncegate-adapter approve-run {run}。",
    "Look at the source; if it is right, oncegate-adapter approve-run {run}.",
)
_OVERDUE = Text("约定的对账单已逾期 {late} 秒", "The promised statement is {late} s overdue")
_TIMER = Text("请检查定时任务,或使用 --watch。", "Look at the timer that runs the adapter, or use --watch.")
_NO_TOPIC = Text("主题不存在,或无权查看", "The topic is not there, or may not be seen")
_ASK = Text(
    "请城市管理员运行 oncegate topics apply 并授权。",
    "Ask the city for oncegate topics apply, and for the right to write.",
)


# --- judgements --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Feed:
    """A stream in the outbox. `next_at`: Unix s, when its next statement was promised; `braked`: a run, 0 for none."""

    evidence_type: str
    waiting: int
    next_at: int | None
    braked: int


def judge_feed(feed: Feed, now: int, running: bool) -> Iterator[Finding]:
    """Rule 3; `now` in Unix s. `running`: an adapter works on the outbox at this moment."""
    if feed.braked:
        yield failed(_BRAKED.fill(run=feed.braked), _APPROVE.fill(run=feed.braked), feed.evidence_type)
    if feed.waiting and not running:
        yield warning(_WAITING.fill(count=feed.waiting), _RUN, feed.evidence_type)
    if feed.next_at is not None and now > feed.next_at + GRACE_S:
        yield warning(_OVERDUE.fill(late=now - feed.next_at), _TIMER, feed.evidence_type)


def judge_feeds(feeds: Sequence[Feed], now: int, running: bool) -> Iterator[Finding]:
    """All streams; one `ok` if there is nothing to say."""
    found = [finding for feed in feeds for finding in judge_feed(feed, now, running)]
    yield from found
    if not found:
        yield ok(f"{len(feeds)} 个数据流均无待办", f"Nothing waits in {len(feeds)} streams")


def judge_owner(owner: tuple[str, str] | None, own: tuple[str, str], where: str) -> Iterator[Finding]:
    """Whose outbox it is: (organisation, adapter); None: nobody's yet."""
    if owner is not None and owner != own:
        yield failed(_ANOTHER.fill(who="/".join(owner)), _OWN_FILE, where)


# --- what there is to examine ------------------------------------------------------------------------------------


class Situation:
    """An adapter as its configuration file describes it."""

    def __init__(self, path: Path, now: Callable[[], int] = now_ms) -> None:
        self.path = path
        self.now = now
        self.began = clock.sample()
        self.file: Lazy[Section] = Lazy(CONFIGURATION, lambda: read_toml(path))
        self.config: Lazy[AdapterConfig] = Lazy(CONFIGURATION, self._load)
        self.transport: Lazy[Transport] = Lazy(
            message_log.TITLE, lambda: message_log.open_log(self.file.need().section("log"))
        )

    @property
    def own(self) -> Section:
        """The table `adapter`; raises `UserError`, `Missing`."""
        return self.file.need().section("adapter")

    @property
    def outbox(self) -> Path:
        """The outbox's file; raises `UserError`, `Missing`."""
        return self.own.path("outbox", (self.path.parent / "outbox.db").absolute())

    def _load(self) -> AdapterConfig:
        message_log.refuse_absent(self.file.get().section("log"))
        return load(self.path)


# --- checks ------------------------------------------------------------------------------------------------------


def check_configuration(situation: Situation) -> Iterator[Finding]:
    """The file is read as a run reads it, keys and mappings included."""
    count = len(situation.config.get().streams)
    yield ok(f"配置有效,{count} 个数据流", f"Valid, {count} streams", situation.path)


def check_files(situation: Situation) -> Iterator[Finding]:
    """Rule 1."""
    own = situation.own
    path, alg = own.path("key"), own.choice("alg", SUITES, "ES256")
    service = files.service_user(situation.outbox, situation.path)
    yield from files.judge(files.gather(KEY, path, service, lambda: keys.load_signing_key(path, alg).kid))
    if situation.outbox.exists():
        yield from files.judge(files.gather(OUTBOX, situation.outbox, service, lambda: _private(situation.outbox)))
    for title, secret in _credentials(situation.file.need()):
        yield from files.judge(files.gather(title, secret, service, partial(_private, secret)))


def _credentials(file: Section) -> Iterator[tuple[Text, Path]]:
    """What logs in to the message log and to databases."""
    log = file.section("log")
    yield from ((message_log.TITLE, log.path(name)) for name in _LOG_SECRETS if log.has(name))
    for stream in file.sections("streams"):
        source = stream.section("source", None)
        if source is not None and source.has("password_file"):
            yield SOURCES, source.path("password_file")


def _private(path: Path) -> str:
    with path.open("rb"):
        return ""


def check_sources(situation: Situation) -> Iterator[Finding]:
    """Rule 2."""
    for stream in situation.config.need().streams:
        name = stream.stream.evidence_type
        try:
            next(stream.rows(), None)
        except KNOWN as error:  # of one stream; the others are looked at
            found = of_error(error)
            yield Finding(found.level, found.what, f"{name}: {found.where}", found.remedy)
        else:
            yield ok("源数据可读,列齐全", "The source can be read and has its columns", name)


def check_outbox(situation: Situation) -> Iterator[Finding]:
    """Rule 3."""
    path = situation.outbox
    if not path.exists():
        yield warning(_ABSENT, _FIRST_RUN, path)
        return
    own = (situation.own.text("organisation"), situation.own.text("id"))
    with reading(path) as db:
        if db.pragma("application_id") != APPLICATION_ID:
            raise UserError(_NOT_OUTBOX, str(path), _OWN_FILE)
        owner = next(iter(db.execute("SELECT organisation, adapter FROM owner")), None)
        feeds = [Feed(*row) for row in db.execute(_FEEDS, (BRAKED,))]
    yield from judge_owner(owner, own, str(path))
    running = is_held(path.with_name(path.name + ".lock"))
    yield from judge_feeds(feeds, situation.now() // 1000, running)


_FEEDS: Final = """
SELECT s.type, (SELECT count(*) FROM pending p WHERE p.stream = s.id), s.next_at,
  coalesce((SELECT max(r.id) FROM runs r WHERE r.stream = s.id AND r.state = ?), 0)
FROM streams s ORDER BY s.id
"""


def check_disks(situation: Situation) -> Iterator[Finding]:
    """The file systems of the outbox and of an embedded log."""
    places = [Place(situation.outbox)]
    log = situation.file.need().section("log")
    if message_log.is_embedded(log):
        places.append(Place(log.path("directory")))
    for found in disk.gather(places):
        yield disk.judge(found)


def check_log(situation: Situation) -> Iterator[Finding]:
    """Rule 4: the log answers."""
    yield from message_log.reachable(situation.transport.get(), situation.now())


def check_topics(situation: Situation) -> Iterator[Finding]:
    """Rule 4: the adapter's topics are there, unless it makes them itself."""
    config = situation.config.need()
    with situation.transport.need().admin() as admin:
        there = admin.topics()
    wanted = [stream.stream.topic for stream in config.streams]
    missing = [] if config.create_topics else [topic for topic in wanted if topic not in there]
    yield from (failed(_NO_TOPIC, _ASK, topic) for topic in missing)
    if not missing:
        yield ok(f"{len(wanted)} 个主题就绪", f"{len(wanted)} topics are ready")


def check_rights(situation: Situation) -> Iterator[Finding]:
    """Rule 4: write the adapter's topics, and no others that it can see."""
    transport = message_log.kafka(situation.transport.need())
    if transport is None:
        return
    needed = {stream.stream.topic: frozenset(("Write", "Describe")) for stream in situation.config.need().streams}
    with transport.admin() as admin:
        yield from cluster.judge_rights(cluster.rights_of(admin, needed, admin.topics()))


def check_corrections(situation: Situation) -> Iterator[Finding]:
    """Rule 5."""
    yield from doctor_corrections.look(situation.config.need(), situation.outbox, situation.now())


def check_sqlite(_: Situation) -> Iterator[Finding]:
    """SQLite's version."""
    return machine.sqlite()


def check_clock(situation: Situation) -> Iterator[Finding]:
    """The clock, against the outbox."""
    marks: tuple[clock.Mark, ...] = ()
    with suppress(Missing, UserError):
        marks = tuple(clock.file_marks((situation.outbox,)))
    yield from clock.judge(clock.Clock(clock.synchronised(), situation.began, clock.sample(), marks))


CHECKS: Final[Sequence[Check[Situation]]] = (
    Check("configuration", CONFIGURATION, check_configuration),
    Check("sqlite", Text("SQLite", "SQLite"), check_sqlite),
    Check("disk", Text("磁盘", "disk"), check_disks),
    Check("keys", Text("密钥文件", "key files"), check_files),
    Check("sources", SOURCES, check_sources),
    Check("outbox", OUTBOX, check_outbox),
    Check("log", message_log.TITLE, check_log),
    Check("topics", Text("主题", "topics"), check_topics),
    Check("rights", Text("权限", "rights"), check_rights),
    Check("corrections", Text("纠错申请", "corrections"), check_corrections),
    Check("clock", Text("时钟", "clock"), check_clock),
)


def doctor(path: Path) -> Iterator[Told]:
    """Everything that is found about the adapter of this configuration file."""
    return examine(CHECKS, Situation(path))


def run(path: Path, as_json: bool) -> bool:
    """Print it; whether nothing failed."""
    return report(doctor(path), as_json)
