"""Records on their way into an index, many in one transaction: rows, their counts, how far the log is then indexed."""

from collections import Counter

import apsw

from audit.search.database import transaction
from audit.search.rows import DAY_MS, FACETS, Access, Shape
from audit.search.tokens import Tokens

_NO_TOKENS = Tokens()
_INSERT_SHAPE = "".join(("INSERT INTO shapes VALUES (NULL", ",?" * (len(FACETS) + 1), ")"))
_INSERT = "INSERT INTO entries VALUES (?,?,?,?,?,?)"
_INDEXED = """
UPDATE logs SET size = ?, root = ?, other = other + ?, erased = erased + ? WHERE id = ?
"""
_AGAIN = "UPDATE entries SET clerk = ?, case_number = ?, holder = ? WHERE id = ?"
_COUNT = "INSERT INTO counts VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET n = n + excluded.n"

_Row = tuple[int, int, int, bytes | None, bytes | None, bytes | None]


class Batch:
    """What one transaction brings. `other`: entries that are no access records; `erased`: such without an opening."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.counts: Counter[tuple[int, int]] = Counter()  # (shape, day)
        self.other = self.erased = 0


class Batches:
    """The writer's side of an index."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._shapes = {Shape(tuple(row[1:-1]), row[-1]): row[0] for row in db.execute("SELECT * FROM shapes")}

    def add(self, batch: Batch, entry: int, access: Access, tokens: Tokens | None) -> None:
        """Put a record into a batch; `entry`: its id; `tokens` None: its opening is erased."""
        shape = self._shapes.get(access.shape)
        if shape is None:
            shape = self._new_shape(access.shape)
        batch.counts[shape, access.time // DAY_MS] += 1
        if tokens is None:
            batch.erased += 1
            tokens = _NO_TOKENS
        batch.rows.append((entry, access.time, shape, tokens.clerk, tokens.case, tokens.holder))

    def again(self, entry: int, tokens: Tokens | None) -> None:
        """Tokens for a record that is indexed without; within a transaction."""
        if tokens is not None:
            self._db.execute(_AGAIN, (tokens.clerk, tokens.case, tokens.holder, entry))

    def write(self, log: int, batch: Batch, size: int, root: bytes) -> None:
        """One transaction: the batch, and that the log is indexed up to `size`."""
        with transaction(self._db):
            self._db.executemany(_INSERT, batch.rows)
            self._db.executemany(_COUNT, [(log, shape, day, n) for (shape, day), n in batch.counts.items()])
            self._db.execute(_INDEXED, (size, root, batch.other, batch.erased, log))

    def _new_shape(self, shape: Shape) -> int:
        self._db.execute(_INSERT_SHAPE, (*shape.values, shape.types))
        number = self._db.last_insert_rowid()
        self._shapes[shape] = number
        return number
