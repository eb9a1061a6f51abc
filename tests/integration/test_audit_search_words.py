"""What an auditor may write in a question, and what is refused instead of answered "nothing"."""

import io
import sys
from pathlib import Path

import pytest

from audit.cli import app
from contracts.edge.output import execute
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import A, Out, ask, build_town, facts, index, key_file, keys, places, write


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


def given(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """These bytes on standard input, on a terminal that is set to UTF-8."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogateescape"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_people_from_standard_input(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    write(tmp_path / "a", A, [facts(0), facts(1, clerk="张三", case="办件七")])
    key_file(tmp_path / "one.pem", AUDITOR)
    assert index(tmp_path, str(tmp_path / "a"), *keys(tmp_path, "one")) == 0
    given(monkeypatch, "张三\n办件七\n".encode(encoding))
    assert places(ask(tmp_path, capsys, "clerk=-", "case=-", *keys(tmp_path, "one"))) == [(A, 1)]


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"", "The value is empty (clerk)"), (b" \n", "The value is empty (clerk)"), (b"\xff\xff\n", "GB18030 (-)")],
)
def test_standard_input_that_names_nobody(
    town: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, data: bytes, what: str
) -> None:
    given(monkeypatch, data)
    capsys.readouterr()
    assert execute(app, ["search", str(town / "index"), "clerk=-", *keys(town, "one")]) == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "names", "what"),
    [
        (["clerk=x"], (), "their key is needed"),
        (["holder=cn.uscc:x"], ("one",), "tokens of the kind holder: their key is needed"),
        (["clerk=x"], ("two",), "Not the key that this index was built with"),
        (["holder=cn.uscc:x"], ("two", "one"), "Not the key that this index was built with"),
        (["clerk=x"], ("one", "one"), "Both keys are the same one"),
        (["holder=x"], ("one", "two"), "Not a holder"),
        (["holder=440305199912314514:cn.ric"], ("one", "two"), "Not a holder"),
        (["--after", "1"], (), "Not a value for --after"),
        (["--after", "1-9999999999999999999"], (), "Not a value for --after"),
        (["clerk=\udcd5\udcc5"], ("one",), "Not text in UTF-8 (clerk)"),
        (["log=nowhere"], (), "The index does not have this log"),
        (["colour=red"], (), "Not a filter (colour)"),
    ],
)
def test_refused_not_empty(town: Path, capsys: Out, words: list[str], names: tuple[str, ...], what: str) -> None:
    capsys.readouterr()
    assert execute(app, ["search", str(town / "index"), *words, *keys(town, *names)]) == 2
    said = capsys.readouterr()
    assert what in said.err
    assert not said.out
