"""The file that an export leaves: complete under its name, or not there."""

import os
from pathlib import Path
from typing import Never

import pytest

from audit.package.files import new_file
from contracts.errors import UserError


class Killed(BaseException):
    """As if the process ended here."""


def _dies(*_: object) -> Never:
    raise Killed


def _no_links(*_: object, **__: object) -> Never:
    raise PermissionError(1, "Operation not permitted")


def _write(path: Path, meanwhile: bytes = b"") -> None:
    with new_file(path) as written:
        written.write_bytes(b"evidence")
        if meanwhile:
            path.write_bytes(meanwhile)


def test_it_has_its_name_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens between the name and the content that would have to be finished."""
    monkeypatch.setattr(os, "replace", _dies)
    monkeypatch.setattr(os, "rename", _dies)
    monkeypatch.setattr(Path, "replace", _dies)
    _write(tmp_path / "evidence.zip")
    assert (tmp_path / "evidence.zip").read_bytes() == b"evidence"
    assert list(tmp_path.iterdir()) == [tmp_path / "evidence.zip"]


@pytest.mark.parametrize("links", [True, False])
def test_it_replaces_nothing_that_came_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    path = tmp_path / "evidence.zip"
    with pytest.raises(UserError):
        _write(path, b"another's")
    assert path.read_bytes() == b"another's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    _write(tmp_path / "evidence.zip")
    assert (tmp_path / "evidence.zip").read_bytes() == b"evidence"


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("证" * 83 + ".zip")
    assert len(path.name.encode()) > 250
    _write(path)
    assert path.read_bytes() == b"evidence"
