import os
import stat
from pathlib import Path

import pytest

from contracts.edge.config import read_toml
from contracts.edge.files import write_atomic
from contracts.errors import UserError


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    before = os.umask(0o077)
    try:
        write_atomic(path, b"new", mode=0o644)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_configuration_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('name = "交通"\nkey = "keys/a.pem"\n', encoding="utf-8")
    section = read_toml(path)
    assert section.text("name") == "交通"
    assert section.path("key") == tmp_path / "keys" / "a.pem"


def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "gbk.toml").write_bytes('name = "交通"'.encode("gbk"))
    (tmp_path / "dir.toml").mkdir()
    for name, what in (
        ("none", "no such"),
        ("gbk", "cannot be read: not UTF-8"),
        ("dir", "cannot be read: It is a directory"),
    ):
        with pytest.raises(UserError, match=what) as mistake:
            read_toml(tmp_path / f"{name}.toml")
        assert mistake.value.where == str(tmp_path / f"{name}.toml")
