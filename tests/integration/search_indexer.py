"""An indexer process to be killed: `python -m tests.integration.search_indexer LOG INDEX`; a line after each batch."""

import os
import sys
from pathlib import Path

from audit.notes import parse_vkey
from audit.search import follow
from audit.search.database import keep_checks, transaction, writing


def _tell(count: int) -> None:
    os.write(1, b"%d\n" % count)


if __name__ == "__main__":
    directory, index = Path(sys.argv[1]), Path(sys.argv[2])
    with writing(index) as db:
        with transaction(db):
            keep_checks(db, None)
        source = follow.Source(directory, parse_vkey((directory / "vkey").read_text("ascii").strip()))
        follow.BUNDLES = 4  # small batches: more instants to be killed at
        follow.Follower(db).follow(source, _tell)
