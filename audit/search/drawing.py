"""A sample drawn from an index, and drawn again to check it.

1. Each checkpoint must be signed by its log's key and be a beginning of the log as it is indexed: proved by a
   consistency proof from the log's directory, unless the sizes are equal.
2. The document names everything that the draw depends on (`sample`); checking it is drawing again and comparing.
3. Filters by people are not for samples: nobody else could draw them again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.checkpoints import Checkpoint, open_note
from audit.merkle import verify_consistency
from audit.notes import parse_vkey
from audit.search.filters import NONE, Filters
from audit.search.query import Index, Log
from audit.search.rows import FACETS, place_of
from audit.search.sample import Candidate, draw, seed_of
from contracts.encoding import Json, parse_object
from contracts.errors import Fault, UserError
from contracts.text import Text

ALGORITHM = "oncegate-sample-1"
MAX_SIZE = 100_000
STRATA = ("log", *FACETS)

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
_NOT_A_SAMPLE = Text("不是抽样文件", "Not a sample")


@dataclass(frozen=True, slots=True)
class Order:
    """What is drawn. `notes`: signed checkpoints; `words`: filters as written; `by`: of STRATA, or empty."""

    notes: Sequence[bytes]
    nonce: str
    size: int
    by: str
    reviewers: Sequence[str]
    words: Sequence[str]


def document(index: Index, order: Order, filters: Filters) -> dict[str, Json]:
    """Draw, and say everything (rule 2); `filters` are those of `order.words`. Raises `UserError`."""
    _check(order, filters)
    heads = _heads(index, order.notes)
    seed = seed_of({head.origin: head.text() for _, head in heads}, order.nonce)
    sizes = {log.number: (log.origin, head.size) for log, head in heads}
    drawn = draw(seed, _population(index, filters, sizes, order.by), order.size, order.reviewers)
    return {
        "kind": "sample",
        "algorithm": ALGORITHM,
        "checkpoints": [note.decode() for note in order.notes],
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
        texts = (*found["reviewers"], *found["filters"], found["nonce"], found["by"])
        named = (found["kind"], found["algorithm"]) == ("sample", ALGORITHM)
        sound = named and type(found["size"]) is int and all(type(text) is str for text in texts)
    except (Fault, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UserError(_NOT_A_SAMPLE, name)
    return Order(notes, found["nonce"], found["size"], found["by"], found["reviewers"], found["filters"]), found


def differences(given: Mapping[str, Json], ours: Mapping[str, Json]) -> list[str]:
    """Members of a document that are not what drawing again gives."""
    return sorted(name for name in given.keys() | ours.keys() if given.get(name) != ours.get(name))


def _check(order: Order, filters: Filters) -> None:
    if not order.nonce:
        raise UserError(_NONCE)
    if not 1 <= order.size <= MAX_SIZE:
        raise UserError(_SIZE, str(order.size), _BOUNDS)
    if order.by and order.by not in STRATA:
        raise UserError(_NO_STRATA, order.by, _ONE_OF)
    if not order.reviewers or not all(order.reviewers) or len(set(order.reviewers)) < len(order.reviewers):
        raise UserError(_REVIEWERS)
    if filters.people:
        raise UserError(_PEOPLE)


def _heads(index: Index, notes: Sequence[bytes]) -> list[tuple[Log, Checkpoint]]:
    heads: dict[str, tuple[Log, Checkpoint]] = {}
    for note in notes:
        log = index.log(note.partition(b"\n")[0].decode("utf-8", "replace"))
        try:
            head = open_note(note, parse_vkey(log.vkey))[0]
        except Fault:
            raise UserError(_NOT_SIGNED, log.origin) from None
        if log.origin in heads:
            raise UserError(_TWICE, log.origin)
        _check_head(index, log, head)
        heads[log.origin] = log, head
    return list(heads.values())


def _check_head(index: Index, log: Log, head: Checkpoint) -> None:
    """Rule 1."""
    if head.size > log.size:
        raise UserError(_NOT_INDEXED, f"{log.origin}: {head.size} > {log.size}", _INDEX_FIRST)
    if head.size in (0, log.size):
        same = head.size == 0 or head.root == log.root
    else:
        proof = index.reader(log).consistency_proof(head.size, log.size)
        same = verify_consistency(head.size, log.size, proof, head.root, log.root)
    if not same:
        raise UserError(_OTHER_LOG, log.origin, _KEEP)


def _population(index: Index, filters: Filters, sizes: Mapping[int, tuple[str, int]], by: str) -> Iterator[Candidate]:
    shapes = index.shapes()
    for entry in index.entries(filters):
        log, position = place_of(entry.number)
        origin, size = sizes.get(log, ("", 0))
        if position < size:
            named = {"": "all", "log": origin}
            stratum = named[by] if by in named else shapes[entry.shape][0][by]
            yield Candidate(origin, position, NONE if stratum is None else stratum)


def load(path: Path) -> tuple[Order, dict[str, Json]]:
    """The sample in a file; raises `UserError`, OSError."""
    return order_of(path.read_bytes(), path.name)
