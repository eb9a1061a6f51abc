"""A log is read while it grows: partial files come and go, and what its head needs is there all the time."""

import threading
from pathlib import Path

import pytest

from audit.reader import LogReader
from audit.verify import verify
from tests.integration.audit_support import SIGNER, entry, fill, open_log, opening

HEADS = 300


@pytest.mark.parametrize("later", [(1,), (2, 3), (250,), (1, 250, 7), (600,)])
def test_rows_of_an_older_head(tmp_path: Path, later: tuple[int, ...]) -> None:
    fill(tmp_path, 5)
    reader = LogReader(tmp_path, SIGNER.public)
    before = reader.rows(0, 5)
    for more in later:
        fill(tmp_path, more)
    assert reader.rows(0, 5) == before
    assert len(before) == 5


def test_a_log_that_grows_is_whole_whenever_it_is_looked_at(tmp_path: Path) -> None:
    fill(tmp_path, 1000)
    ended = threading.Event()

    def write() -> None:
        log = open_log(tmp_path)
        while log.size < 1000 + HEADS:
            log.append_blocking(entry(log.size), opening(log.size))
        log.close()
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    looks = 0
    while not ended.is_set():
        report = verify(tmp_path, SIGNER.public, openings=True)
        assert report.difference is None
        looks += 1
    writer.join()
    assert looks > 1
