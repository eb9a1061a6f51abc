"""`oncegate-audit proof`: a proof of one entry, given out and checked, by us and by Go's sumdb."""

import json
import random
import shutil
from pathlib import Path

import pytest

from audit.cli import app
from audit.reader import LogReader
from contracts.edge.output import execute
from tests.integration.audit_support import ORIGIN, SIGNER, entry, fill
from tests.integration.go_programs import build
from tests.integration.package_world import COSIGNED_AT, WITNESS
from tests.integration.search_world import Out

VKEY = SIGNER.public.vkey


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 entries, cosigned."""
    directory = tmp_path_factory.mktemp("log")
    fill(directory, 600)
    note = (directory / "checkpoint").read_bytes()
    line = WITNESS.line(note.partition(b"\n\n")[0] + b"\n", COSIGNED_AT)
    (directory / "checkpoint.cosigned").write_bytes(note + line)
    return directory


@pytest.fixture
def given(log: Path, tmp_path: Path, capsys: Out) -> tuple[Path, Path]:
    """A proof of entry 300, and the entry, in files."""
    assert execute(app, ["proof", str(log), "300", "--vkey", VKEY, "--record", str(tmp_path / "record")]) == 0
    (tmp_path / "proof").write_text(capsys.readouterr().out)
    return tmp_path / "proof", tmp_path / "record"


def test_given_out_and_checked(given: tuple[Path, Path], capsys: Out) -> None:
    proof, record = given
    assert record.read_bytes() == entry(300)
    words = ["proof", "--check", str(proof), str(record), "--vkey", VKEY, "--vkey", WITNESS.public.vkey]
    assert execute(app, words) == 0
    assert f"Holds: entry 300 of {ORIGIN}, under a head of 600 entries, cosigned by 1" in capsys.readouterr().out
    assert execute(app, [*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["index"], found["cosigned"]) == (True, 300, 1)


def test_go_reads_it(given: tuple[Path, Path], tmp_path: Path) -> None:
    proof, record = given
    said = build(tmp_path).tlogcheck("receipt", VKEY, record, proof)
    assert (said.code, said.error) == (0, "")


@pytest.mark.parametrize("spoilt", [0, 1], ids=["proof", "record"])
def test_a_changed_byte_is_found(given: tuple[Path, Path], capsys: Out, spoilt: int) -> None:
    """Of a witness's line name and key id are all that says whose it is: changed, nobody's, and not counted."""
    path = given[spoilt]
    data = path.read_bytes()
    words = ["proof", "--check", *map(str, given), "--vkey", VKEY, "--vkey", WITNESS.public.vkey, "--json"]
    for at in random.Random(6).sample(range(len(data)), min(len(data), 60)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        code = execute(app, words)
        found = json.loads(capsys.readouterr().out)
        assert (code, found["verified"]) == (1, False) or found["cosigned"] == 0, at
    path.write_bytes(data[:-1])
    assert execute(app, words[:-1]) == 1
    assert "FAILED: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["LOG", "600", "--vkey", VKEY], 2, "entry_unknown"),
        (["LOG", "-1", "--vkey", VKEY], 2, "-1"),
        (["LOG", "x", "--vkey", VKEY], 2, "Not a position"),
        (["LOG", "9" * 5000, "--vkey", VKEY], 2, "Not a position"),
        (["LOG/tile", "0", "--vkey", VKEY], 2, "Not the directory of an audit log"),
        (["LOG", "0", "--vkey", "x"], 2, "Not a valid verifier key"),
        (["LOG", "0", "--vkey", VKEY, "--vkey", VKEY], 2, "takes the log's verifier key"),
        (["--check", "LOG/checkpoint", "LOG/checkpoint"], 2, "takes the log's verifier key"),
        (["--check", "LOG/nothing", "LOG/checkpoint", "--vkey", VKEY], 2, "No such file"),
    ],
)
def test_mistakes(log: Path, capsys: Out, words: list[str], code: int, what: str) -> None:
    assert execute(app, ["proof", *(word.replace("LOG", str(log)) for word in words)]) == code
    assert what in capsys.readouterr().err


def test_a_key_from_the_log_itself_is_said(log: Path, capsys: Out) -> None:
    assert execute(app, ["proof", str(log), "0"]) == 0
    assert "Note: the key was taken from the directory itself" in capsys.readouterr().err


def test_an_entry_that_was_altered_gets_no_proof(log: Path, tmp_path: Path, capsys: Out) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    bundle = copy / "tile/entries/001"
    data = bytearray(bundle.read_bytes())
    data[-2] ^= 1
    bundle.write_bytes(data)
    assert execute(app, ["proof", str(copy), "511", "--vkey", VKEY]) == 3
    found = capsys.readouterr()
    assert (found.out, "entry 511 is not the one" in found.err) == ("", True)
    assert LogReader(copy, SIGNER.public).entry(511, 600) != entry(511)
