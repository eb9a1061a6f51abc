"""A store that a full disk kept from being opened or closed is not left locked by whoever tried."""

from pathlib import Path

import pytest

from contracts.errors import UserError
from gateway.store import database
from gateway.store.writer import Writer

KEK = bytes(32)


def test_a_failure_at_any_step_of_opening_gives_the_lock_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"
    Writer(path, KEK).close()

    class Full(Exception):
        pass

    def full(*_: object) -> object:
        raise Full

    for step in ("lock_writer", "create_if_absent", "open_store"):
        with monkeypatch.context() as patch:
            patch.setattr(database, step, full)
            with pytest.raises(Full):
                Writer(path, KEK)
        Writer(path, KEK).close()
    with monkeypatch.context() as patch:
        patch.setattr(database, "CHECKPOINT_PAGES", "not a number")
        with pytest.raises(TypeError):
            Writer(path, KEK)
    opened = Writer(path, KEK)
    with pytest.raises(UserError):
        Writer(path, KEK)
    opened.close()
