"""What the commands of this room are given: the own log, an index, keys, texts that stand in no history of commands."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.log import LogSettings
from audit.review.events import Place, Subject, Whom, sound_name
from audit.review.findings import is_finding_id
from audit.review.records import Records
from audit.review.samples import Sample, sample_of
from audit.search import own_log
from audit.search.analysing import text_of
from audit.search.database import meta, open_index, undamaged
from audit.search.query import Index
from audit.search.session import OWN_LOG, OWN_LOG_CONFIG
from contracts.edge.keys import load_hpke_private
from contracts.edge.sqlite_errors import as_system_errors
from contracts.errors import UserError
from contracts.text import Text

MAX_TEXT_BYTES = 1 << 20
STDIN = "-"

_NO_OWN_LOG = Text("未给出自有日志", "The auditors' own log is not given")
_GIVE_OWN_LOG = Text(
    "请用 --own-log 给出配置,或用 --index 给出带自有日志的索引。",
    "Give its configuration with --own-log, or an index that was made with one with --index.",
)
_OTHER_LOG = Text("该索引登记的是另一自有日志", "The index names another log of the auditors' own")
_INDEXS = Text("请使用索引登记的自有日志。", "Use the one that it names.")
_TOO_LARGE = Text("文件过大", "The file is too large")
_NOT_A_FINDING = Text("不是提示编号", "Not the id of a finding")
_ID_FORM = Text(
    "编号由 analyse 或 reconcile 给出;抽样记录请加 --sample。",
    "analyse and reconcile print ids; for a record of a sample give --sample, too.",
)
_NO_WHOM = Text("单位写法不对", "Not a unit")
_WHOM_FORM = Text("写作 单位/处室,或单位。", "Write ORGANISATION/UNIT, or ORGANISATION.")


def own_log_of(config: Path | None, index: Path | None) -> LogSettings:
    """The own log that is configured in a file, else that of an index. Where both are given, they are the same one:
    what is looked at through an index that names a log is recorded there. Raises `UserError`, OSError."""
    named = None if index is None else _named(index)
    path = config if config is not None or named is None else named[1]
    if path is None:
        raise UserError(_NO_OWN_LOG, "", _GIVE_OWN_LOG)
    settings = own_log.load(path)
    if named is not None and settings.origin != named[0]:
        raise UserError(_OTHER_LOG, f"{settings.origin} / {named[0]}", _INDEXS)
    return settings


def has_own_log(index: Path) -> bool:
    """Whether an index was made with one."""
    return _named(index) is not None


def _named(index: Path) -> tuple[str, Path] | None:
    """The own log that an index was made with: origin, and where its configuration is."""
    with closing(open_index(index)) as db:
        found = meta(db)
    return (str(found[OWN_LOG]), Path(str(found[OWN_LOG_CONFIG]))) if OWN_LOG in found else None


def sample_in(path: Path) -> Sample:
    """The sample in a file; raises `UserError`, OSError."""
    return sample_of(path.read_bytes(), path.name)


@contextmanager
def records_of(index: Path, keys: list[X25519PrivateKey]) -> Iterator[Records]:
    """The records of the logs that an index knows; raises `UserError`, OSError."""
    with closing(open_index(index)) as db, as_system_errors(index), undamaged(index):
        yield Records(Index(db), keys)


def private_keys(paths: list[Path] | None) -> list[X25519PrivateKey]:
    """The keys in these files; raises `UserError`, OSError."""
    return [load_hpke_private(path) for path in paths or ()]


def text_in(name: str) -> str:
    """The text in a file, `-` for standard input; raises `UserError`, OSError."""
    with nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise UserError(_TOO_LARGE, name)
    return text_of(data, name)


def subject_of(text: str, sample: Path | None) -> tuple[Subject, list[Sample]]:
    """A finding's id, or with a sample LOG:POSITION; and the samples at hand. Raises `UserError`, OSError."""
    if sample is not None:
        found = sample_in(sample)
        return found.place(text), [found]
    if not is_finding_id(text):
        raise UserError(_NOT_A_FINDING, text, _ID_FORM)
    return text, []


def whom_of(text: str) -> Whom:
    """ORGANISATION/UNIT or ORGANISATION; raises `UserError`."""
    organisation, slash, unit = text.partition("/")
    if not organisation or (slash and not unit):
        raise UserError(_NO_WHOM, text, _WHOM_FORM)
    return Whom(sound_name(organisation), sound_name(unit) if slash else None)


def where(subject: Subject) -> str:
    """A subject as commands take it."""
    return f"{subject.log}:{subject.position}" if isinstance(subject, Place) else subject
