"""The records of a package against everything that stands beside them, read side by side, one at a time.

1. Numbers count from 1; logs come in the manifest's order, positions rise: none is moved or doubled unseen. None comes
   from beyond what the manifest says was searched.
2. The proof is one that this program writes, under the package's signed head, and leads there from the exact record.
3. The record lies within the question that the package states; its opening, where there is one, is the one that it
   committed to; its row of the table is made again and compared byte for byte.
4. Counts are the manifest's, and nothing comes after the last record.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from audit.checkpoints import Checkpoint
from audit.merkle import verify_inclusion
from audit.package import differences as wrong
from audit.package import manifest as names
from audit.package.container import Container
from audit.package.differences import Differs
from audit.package.lines import MAX_LINE, MAX_PROOF, parse_opening, parse_record, proof_texts
from audit.package.manifest import Manifest
from audit.package.scope import is_within
from audit.package.table import GRANTED, STATES, Item, Opening, columns, csv_head, csv_line
from audit.receipts import parse_proof
from audit.record import commit_digest
from contracts.encoding import canonical
from contracts.errors import Fault


class Records:
    """The files that grow with the records; `check` raises `Differs`, `Malformed`."""

    def __init__(
        self,
        container: Container,
        made: Manifest,
        heads: Mapping[str, Checkpoint],
        signed: Mapping[str, bytes],
        advance: Callable[[int], None],
    ) -> None:
        self._made, self._heads, self._signed, self._advance = made, heads, signed, advance
        self._columns = columns(made.openings is not None)
        self._records = container.lines(names.RECORDS, MAX_LINE)
        self._proofs = proof_texts(container.lines(names.PROOFS, MAX_PROOF))
        self._table = container.pieces(names.TABLE)
        self._row, self._at = b"", 0  # of the table: bytes that were read, and how many of them are compared
        self._openings = None if made.openings is None else container.lines(names.OPENINGS, MAX_LINE)
        self._places = {log.origin: number for number, log in enumerate(made.logs)}
        self._last = (-1, -1)
        self._by_log = dict.fromkeys(self._places, 0)
        self._by_state = dict.fromkeys(STATES, 0)

    def check(self) -> None:
        self._expect_row(csv_head(self._columns), 0)
        for number in range(1, self._made.records + 1):
            self._check_one(number)
        self._check_ends()
        for log in self._made.logs:
            if self._by_log[log.origin] != log.records:
                raise Differs(names.NAME, 0, wrong.COUNT, log.origin)
        if self._made.openings is not None and dict(self._made.openings) != self._by_state:
            raise Differs(names.NAME, 0, wrong.COUNT, "/openings")

    def _check_one(self, number: int) -> None:
        line = _next(self._records, names.RECORDS, number)
        self._advance(len(line))
        try:
            item = parse_record(line)
        except Fault as fault:
            raise Differs(names.RECORDS, number, wrong.LINE, fault.detail) from None
        self._check_place(item, number)
        self._check_proof(item)
        if not is_within(self._made.filters, item.origin, item.leaf):
            raise Differs(names.RECORDS, number, wrong.OUTSIDE)
        opening = self._opening(item)
        self._expect_row(csv_line(_with(item, opening), self._columns), number)

    def _check_place(self, item: Item, number: int) -> None:
        log = self._places.get(item.origin)
        if log is None or item.number != number or (log, item.position) <= self._last:
            raise Differs(names.RECORDS, number, wrong.ORDER)
        if item.position >= self._made.logs[log].indexed:
            raise Differs(names.RECORDS, number, wrong.BEYOND)
        self._last = (log, item.position)
        self._by_log[item.origin] += 1

    def _check_proof(self, item: Item) -> None:
        text = _next(self._proofs, names.PROOFS, item.number)
        self._advance(len(text))
        head = self._heads[item.origin]
        try:
            proof = parse_proof(text)
        except Fault:
            raise Differs(names.PROOFS, item.number, wrong.LINE) from None
        if proof.encode() != text or proof.extra is not None or proof.note != self._signed[item.origin]:
            raise Differs(names.PROOFS, item.number, wrong.LINE)
        if proof.index != item.position:
            raise Differs(names.PROOFS, item.number, wrong.ORDER)
        if not verify_inclusion(proof.index, head.size, item.leaf_hash, proof.hashes, head.root):
            raise Differs(names.PROOFS, item.number, wrong.PROOF)

    def _opening(self, item: Item) -> Opening | None:
        if self._openings is None:
            return None
        line = _next(self._openings, names.OPENINGS, item.number)
        self._advance(len(line))
        try:
            number, opening = parse_opening(line)
        except Fault as fault:
            raise Differs(names.OPENINGS, item.number, wrong.LINE, fault.detail) from None
        if number != item.number:
            raise Differs(names.OPENINGS, item.number, wrong.ORDER)
        self._by_state[opening.state] += 1
        if opening.state == GRANTED and not _is_committed(opening, item):
            raise Differs(names.OPENINGS, item.number, wrong.COMMIT)
        return opening

    def _expect_row(self, row: bytes, number: int) -> None:
        """The next bytes of the table; cells may hold line ends, so it is compared by length."""
        while len(self._row) - self._at < len(row):
            piece = next(self._table, b"")
            if not piece:
                raise Differs(names.TABLE, number, wrong.ENDS)
            self._row, self._at = self._row[self._at :] + piece, 0
            self._advance(len(piece))
        if not self._row.startswith(row, self._at):
            raise Differs(names.TABLE, number, wrong.ROW)
        self._at += len(row)

    def _check_ends(self) -> None:
        after = self._made.records + 1
        for name, rest in (
            (names.RECORDS, self._records),
            (names.PROOFS, self._proofs),
            (names.OPENINGS, self._openings or iter(())),
            (names.TABLE, chain((self._row[self._at :],), self._table)),
        ):
            if _is_more(rest):
                raise Differs(name, after, wrong.SURPLUS)


def _is_more(rest: Iterator[bytes]) -> bool:
    try:
        return any(rest)
    except Fault:
        return True


def _next(lines: Iterator[bytes], file: str, number: int) -> bytes:
    try:
        found = next(lines, None)
    except Fault:
        raise Differs(file, number, wrong.LINE) from None
    if found is None:
        raise Differs(file, number, wrong.ENDS)
    return found


def _is_committed(opening: Opening, item: Item) -> bool:
    """Whether the record says that this is its opening, in the one spelling that an opening has."""
    if opening.text is None or opening.salt is None or canonical(opening.members) != opening.text:
        return False
    return bool(item.members.get("commit") == commit_digest(opening.salt, opening.text))


def _with(item: Item, opening: Opening | None) -> Item:
    return Item(item.number, item.origin, item.position, item.leaf, item.leaf_hash, item.members, opening)
