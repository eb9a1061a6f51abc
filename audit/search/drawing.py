"""A sample drawn from an index, and drawn again to check it.

1. Each checkpoint must be signed by its log's key and be a beginning of the log as it is indexed: proved by a
   consistency proof from the log's directory, unless the sizes are equal.
2. The document names everything that the draw depends on (`sample`), and who cosigned the checkpoints (`witnessed`);
   checking it is drawing again and comparing. `left_out` is what the index has besides, another index may have more:
   it is not compared.
3. Filters by people are not for samples: nobody else could draw them again. A sample of nothing is none.
4. What is recorded of a draw tells it from every other one: who draws until a sample suits leaves a trail.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from audit.checkpoints import Checkpoint, open_note
from audit.notes import NoteKey, parse_vkey
from audit.record import digest_text
from audit.search.asked import PEOPLE, WORDS, utf8
from audit.search.filters import NONE, Filters
from audit.search.query import Index, Log
from audit.search.rows import FACETS, place_of
from audit.search.sample import Candidate, draw, seed_of
from audit.search.witnessed import cosignatures, not_cosigned, origin_of, witnesses_of
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Fault, UserError
from contracts.text import Text

ALGORITHM = "oncegate-sample-1"
MAX_SIZE = 100_000
STRATA: Final[Mapping[str, str]] = {"log": "log", **{name: name for name in FACETS}, **WORDS}  # as written → of what

_NOT_SIGNED = Text("不是该日志签名的检查点", "Not a checkpoint that this log signed")
_NOT_INDEXED = Text("检查点超出索引范围", "The checkpoint is ahead of the index")
_INDEX_FIRST = Text("请先更新索引。", "Follow the log with oncegate-audit index first.")
_OTHER_LOG = Text("检查点与所索引的日志不一致", "The checkpoint is not one of the log that was indexed")
_KEEP = Text("请保留该检查点,并核对其他副本。", "Keep it, and compare with other copies of the log.")
_TWICE = Text("同一日志的检查点出现两次", "Two checkpoints of one log")
_NO_STRATA = Text("不能按此分层", "Not something to make strata of")
_ONE_OF = Text(f"可选:{', '.join(STRATA)}。", f"One of {', '.join(STRATA)}.")
_REVIEWERS = Text("评查人不能为空或重复", "Reviewers need names, each once")
_NONCE = Text("随机数不能为空", "The nonce is empty")
_SIZE = Text("抽样数量超出范围", "The size of the sample is out of bounds")
_BOUNDS = Text(f"允许 1 到 {MAX_SIZE}。", f"Allowed: 1 to {MAX_SIZE}.")
_PEOPLE = Text("抽样不能按人员筛选", "A sample cannot be filtered by people")
_NOT_COSIGNED = Text(
    "检查点没有所列见证者的有效见证签名", "None of the witnesses that are named cosigned this checkpoint"
)
_COSIGNED_FIRST = Text(
    "请使用经见证的检查点,并核对见证者公钥。", "Take one that is cosigned, and check the witness's key."
)
_NOTHING = Text("没有符合条件的记录,无法抽样", "No record is in the population, so there is nothing to draw")
_NOT_A_SAMPLE = Text("不是抽样文件", "Not a sample")


@dataclass(frozen=True, slots=True)
class Order:
    """What is drawn. `notes`: signed checkpoints; `words`: filters as written; `by`: of STRATA, or empty; `witnesses`:
    one of them must have cosigned each checkpoint; none: nobody must have. Raises `UserError` for what cannot be drawn.
    """

    notes: Sequence[bytes]
    nonce: str
    size: int
    by: str
    reviewers: Sequence[str]
    words: Sequence[str]
    witnesses: Sequence[NoteKey] = ()

    def __post_init__(self) -> None:
        for text in (self.nonce, *self.reviewers):
            utf8(text, "--nonce, --reviewers")
        if not self.nonce:
            raise UserError(_NONCE)
        if not 1 <= self.size <= MAX_SIZE:
            raise UserError(_SIZE, str(self.size), _BOUNDS)
        if self.by and self.by not in STRATA:
            raise UserError(_NO_STRATA, self.by, _ONE_OF)
        if not self.reviewers or not all(self.reviewers) or len(set(self.reviewers)) < len(self.reviewers):
            raise UserError(_REVIEWERS)
        for name in (word.partition("=")[0] for word in self.words):
            if name in PEOPLE:
                raise UserError(_PEOPLE, name)


def document(index: Index, order: Order, filters: Filters) -> dict[str, Json]:
    """Draw, and say everything (rule 2); `filters` are those of `order.words`. Raises `UserError`."""
    heads = _heads(index, order)
    seed = seed_of({head.origin: head.text() for _, head in heads}, order.nonce)
    sizes = {log.number: (log.origin, head.size) for log, head in heads}
    drawn = draw(seed, _population(index, filters, sizes, order.by), order.size, order.reviewers)
    if not drawn.picks:
        raise UserError(_NOTHING, " ".join(order.words))
    return {
        "kind": "sample",
        "algorithm": ALGORITHM,
        "checkpoints": [note.decode() for note in order.notes],
        "witnessed": bool(order.witnesses),
        "cosigned": cosignatures(order.notes, order.witnesses),
        "left_out": _left_out(index, filters, sizes),
        "nonce": order.nonce,
        "size": order.size,
        "by": order.by,
        "reviewers": list(order.reviewers),
        "filters": list(order.words),
        "seed": drawn.seed.hex(),
        "population": sum(population for population, _ in drawn.strata.values()),
        "strata": {name: {"population": n, "picked": k} for name, (n, k) in drawn.strata.items()},
        "picks": [
            {"log": pick.origin, "position": pick.position, "stratum": pick.stratum, "reviewer": pick.reviewer}
            for pick in drawn.picks
        ],
    }


def order_of(data: bytes, name: str) -> tuple[Order, dict[str, Json]]:
    """What a document says was drawn, and the document; raises `UserError`."""
    try:
        found = parse_object(data)
        notes = [note.encode() for note in found["checkpoints"]]
        witnesses = witnesses_of(found)
        cosigned = (one[name] for one in found["cosigned"] for name in ("log", "time"))
        texts = (*found["reviewers"], *found["filters"], *found["left_out"], found["nonce"], found["by"], *cosigned)
        named = (found["kind"], found["algorithm"]) == ("sample", ALGORITHM)
        sound = named and type(found["size"]) is int and all(type(text) is str for text in texts)
    except (Fault, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UserError(_NOT_A_SAMPLE, name)
    how = (found["nonce"], found["size"], found["by"], found["reviewers"], found["filters"], witnesses)
    return Order(notes, *how), found


def differences(given: Mapping[str, Json], ours: Mapping[str, Json]) -> list[str]:
    """Members of a document that are not what drawing again gives (rule 2)."""
    names = (given.keys() | ours.keys()) - {"left_out"}
    return sorted(name for name in names if given.get(name) != ours.get(name))


def digest_of(found: Mapping[str, Json]) -> str:
    """The digest of a document: SHA-256 of its canonical JSON."""
    return digest_text(sha256(canonical(found)).digest())


def facts_of(found: Mapping[str, Json]) -> dict[str, Json]:
    """What is recorded of a draw (rule 4). The nonce as its SHA-256: it may be published later than that."""
    facts = {name: found[name] for name in ("population", "seed", "size", "witnessed")}
    nonce = digest_text(sha256(found["nonce"].encode()).digest())
    return {**facts, "nonce": nonce, "sample": digest_of(found)}


def _heads(index: Index, order: Order) -> list[tuple[Log, Checkpoint]]:
    heads: dict[str, tuple[Log, Checkpoint]] = {}
    for note in order.notes:
        log = index.log(origin_of(note))
        try:
            head = open_note(note, parse_vkey(log.vkey))[0]
        except Fault:
            raise UserError(_NOT_SIGNED, log.origin) from None
        if log.origin in heads:
            raise UserError(_TWICE, log.origin)
        _check_head(index, log, head)
        heads[log.origin] = log, head
    for origin in not_cosigned(order.notes, order.witnesses) if order.witnesses else ():
        raise UserError(_NOT_COSIGNED, origin, _COSIGNED_FIRST)
    return list(heads.values())


def _check_head(index: Index, log: Log, head: Checkpoint) -> None:
    """Rule 1."""
    if head.size > log.size:
        raise UserError(_NOT_INDEXED, f"{log.origin}: {head.size} > {log.size}", _INDEX_FIRST)
    if not index.is_one_history(log, head):
        raise UserError(_OTHER_LOG, log.origin, _KEEP)


def _population(index: Index, filters: Filters, sizes: Mapping[int, tuple[str, int]], by: str) -> Iterator[Candidate]:
    shapes, by = index.shapes(), STRATA.get(by, "")
    for entry in index.entries(filters):
        log, position = place_of(entry.number)
        origin, size = sizes.get(log, ("", 0))
        if position < size:
            named = {"": "all", "log": origin}
            stratum = named[by] if by in named else shapes[entry.shape][0][by]
            yield Candidate(origin, position, NONE if stratum is None else stratum)


def _left_out(index: Index, filters: Filters, sizes: Mapping[int, tuple[str, int]]) -> list[Json]:
    """Logs that the filters do not exclude, and of which there is no checkpoint."""
    asked = (log for log in index.logs.values() if log.size and filters.log in (None, log.number))
    return [log.origin for log in asked if log.number not in sizes]


def load(path: Path) -> tuple[Order, dict[str, Json]]:
    """The sample in a file; raises `UserError`, OSError."""
    return order_of(path.read_bytes(), path.name)
