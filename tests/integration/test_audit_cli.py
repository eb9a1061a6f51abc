"""`oncegate-audit` on real logs: what it prints, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.cli import app
from audit.record import record
from contracts.edge.output import execute
from tests.integration.audit_support import AUDITOR, SIGNER, fill, open_log
from tests.unit.audit.test_record import FACTS, SALT

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three access records."""
    opened = open_log(tmp_path / "log")
    for _ in range(3):
        opened.append_blocking(*record(FACTS, [b"x"], SALT))
    opened.close()
    return tmp_path / "log"


def _key_file(path: Path, key: X25519PrivateKey) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def auditor(tmp_path: Path) -> Path:
    return _key_file(tmp_path / "auditor.pem", AUDITOR)


def _flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_a_whole_log(log: Path, capsys: Out) -> None:
    assert execute(app, ["verify", str(log), "--vkey", SIGNER.public.vkey, "--openings"]) == 0
    assert capsys.readouterr().out.startswith(f"Whole: {SIGNER.public.name}, 3 entries, root ")


def test_a_key_from_the_log_itself_is_said(log: Path, capsys: Out) -> None:
    assert execute(app, ["verify", str(log)]) == 0
    assert "the key was taken from the directory itself" in capsys.readouterr().out


def test_chinese(log: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "zh_CN.UTF-8")
    assert execute(app, ["verify", str(log)]) == 0
    assert capsys.readouterr().out.startswith("完整")


def test_a_changed_byte_ends_with_1_and_names_the_place(log: Path, capsys: Out) -> None:
    _flip(log / "tile/entries/000.p/3")
    assert execute(app, ["verify", str(log)]) == 1
    assert capsys.readouterr().out.startswith("FAILED: tile/0/000.p/3, entries 2 to 2: ")


def test_json_says_the_same(log: Path, capsys: Out) -> None:
    assert execute(app, ["verify", str(log), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["verified"], whole["size"], whole["entries"], whole["difference"]) == (True, 3, 3, None)
    _flip(log / "checkpoint")
    assert execute(app, ["verify", str(log), "--json"]) == 1
    failed = json.loads(capsys.readouterr().out)
    assert (failed["verified"], failed["difference"]["file"]) == (False, "checkpoint")


def test_an_old_copy_fails_against_a_known_head(log: Path, tmp_path: Path, capsys: Out) -> None:
    fill(tmp_path / "longer", 9)
    head = str(tmp_path / "longer" / "checkpoint")
    assert execute(app, ["verify", str(log), "--head", head]) == 1
    assert "truncated or rolled back" in capsys.readouterr().out


MISTAKES = {
    "no log": (["verify", "{tmp}"], "Not the directory of an audit log"),
    "nothing there": (["verify", "{tmp}/nowhere.zip"], "No such file"),
    "bad key": (["verify", "{log}", "--vkey", "nonsense"], "Not a valid verifier key"),
    "bad head": (["verify", "{log}", "--head", "{log}/vkey"], "Not a valid checkpoint"),
    "no head": (["verify", "{log}", "--head", "{log}/nowhere"], "No such file"),
    "no auditor key": (["show", "{log}", "--openings"], "Openings need the auditor's private key"),
    "no such entry": (["show", "{log}", "--index", "3"], "The log has no entry of this index"),
    "another auditor": (
        ["show", "{log}", "--openings", "--auditor-key", "{tmp}/other.pem"],
        "The opening cannot be opened with this key",
    ),
    "too many openings": (
        ["show", "{log}", "--last", "21", "--openings", "--auditor-key", "{tmp}/other.pem"],
        "At most 20 openings at a time",
    ),
    "nothing to record": (["show", "{log}", "--own-log", "own.toml"], "for looks at openings (--openings) only"),
    "no such option": (["verify", "{log}", "--nonsense"], "No such option"),
}


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_end_in_one_line(log: Path, tmp_path: Path, capsys: Out, arguments: list[str], sentence: str) -> None:
    _key_file(tmp_path / "other.pem", X25519PrivateKey.generate())
    assert execute(app, [part.format(tmp=tmp_path, log=log) for part in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err


def test_show_prints_the_newest_last(log: Path, capsys: Out) -> None:
    assert execute(app, ["show", str(log), "--last", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert lines[1].split() == [
        "2", "2025-11-22T05:00:00Z", "admin-approval", "approval-window", "open-restaurant", "lookup", "granted", "-"
    ]  # fmt: skip
    assert str(FACTS.case) not in "".join(lines)


def test_the_auditor_sees_the_opening(log: Path, auditor: Path, capsys: Out) -> None:
    command = ["show", str(log), "--index", "1", "--openings", "--auditor-key", str(auditor)]
    assert execute(app, [*command, "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["index"], line["opening"]["case"], line["opening"]["clerk"]) == (1, FACTS.case, FACTS.clerk)
    assert execute(app, command) == 0
    captured = capsys.readouterr()
    assert str(FACTS.case) in captured.out
    assert "NOTE: this look at openings was not recorded" in captured.err


def test_an_opening_that_somebody_erased_by_hand_is_said(log: Path, auditor: Path, capsys: Out) -> None:
    rows = log / "openings/000.p/3"
    data = rows.read_bytes()
    first = 2 + int.from_bytes(data[:2], "big")
    rows.write_bytes(b"\0\0" + data[first:])
    assert execute(app, ["verify", str(log)]) == 0
    assert execute(app, ["verify", str(log), "--openings"]) == 1
    assert "openings/000.p/3, entries 0 to 0: erased without an order" in capsys.readouterr().out
    assert execute(app, ["show", str(log), "--openings", "--auditor-key", str(auditor), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [line["opening"] and line["opening"]["case"] for line in shown] == [None, FACTS.case, FACTS.case]


def test_entries_of_another_kind_are_shown_by_hash(tmp_path: Path, capsys: Out) -> None:
    opened = open_log(tmp_path / "log")
    opened.append_blocking(b"\xff not json", b"")
    opened.close()
    assert execute(app, ["show", str(tmp_path / "log")]) == 0
    assert capsys.readouterr().out.startswith("0  sha-256:")


def test_a_swapped_entry_is_not_shown(log: Path, capsys: Out) -> None:
    _flip(log / "tile/0/000.p/3")
    assert execute(app, ["show", str(log), "--index", "0"]) == 3
    assert "Stored data is damaged" in capsys.readouterr().err


def test_it_runs_with_base_packages_only(log: Path) -> None:
    """The extra [audit] brings nothing: neither command may import what only other extras have."""
    script = (
        "import sys; from contracts.edge.output import execute; from audit.cli import app; "
        f"code = execute(app, ['verify', {str(log)!r}, '--json']) or execute(app, ['show', {str(log)!r}, '--json']); "
        "print(sorted({'apsw', 'aiohttp', 'uvloop', 'jsonschema_rs', 'jwt', 'sqlite3'} & sys.modules.keys())); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    whole, shown, modules = done.stdout.splitlines()
    assert orjson.loads(whole)["verified"]
    assert len(orjson.loads(shown)) == 3
    assert modules == b"[]"
