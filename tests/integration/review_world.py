"""An auditors' office: logs, an index with a log of the auditors' own, a sample that was drawn from it."""

import io
import json
import sys
from pathlib import Path

import pytest

from audit.cli import app
from audit.log import LogSettings
from audit.review.inputs import sample_in
from audit.review.samples import Sample
from audit.search import own_log
from contracts.edge.keys import create_signing_key, write_hpke_public
from contracts.edge.output import execute
from contracts.encoding import Json
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import SECOND, A, B, Out, facts, index, key_file, keys, write_many

TOML = """[own_log]
directory = "own"
origin = "office.example/own"
key = "own.pem"
auditor = "auditor.public.pem"
head_dir = "heads"
"""
REVIEWERS = ("王", "李", "张")


def build_office(path: Path) -> Path:
    """Logs a (60 records) and b (20), both in `index`, whose questions are recorded in `own`; `sample.json` of 12."""
    write_many(path / "a", A, map(facts, range(60)))
    write_many(path / "b", B, map(facts, range(20)))
    key_file(path / "one.pem", AUDITOR)
    key_file(path / "two.pem", SECOND)
    create_signing_key(path / "own.pem", "EdDSA")
    write_hpke_public(path / "auditor.public.pem", AUDITOR.public_key())
    (path / "heads").mkdir()
    (path / "own.toml").write_text(TOML)
    logs = [str(path / "a"), str(path / "b"), "--own-log", str(path / "own.toml")]
    assert index(path, *logs, *keys(path, "one", "two")) == 0
    return path


def draw(office: Path, capsys: Out, size: int = 12) -> Path:
    """A sample of both logs, by organisation."""
    heads = [word for name in "ab" for word in ("--checkpoint", str(office / name / "checkpoint"))]
    order = ["--nonce", "n", "--size", str(size), "--by", "organisation", "--reviewers", ",".join(REVIEWERS)]
    capsys.readouterr()
    assert execute(app, ["sample", "draw", str(office / "index"), *heads, *order]) == 0
    (office / "sample.json").write_text(capsys.readouterr().out)
    return office / "sample.json"


def run(office: Path, *words: str, stdin: str | None = None, by_index: bool = True) -> int:
    """`oncegate-audit` with the index, or the own log, at its end."""
    which = ["--index", str(office / "index")] if by_index else ["--own-log", str(office / "own.toml")]
    with pytest.MonkeyPatch.context() as patch:
        if stdin is not None:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        return execute(app, [*words, *which])


def review(office: Path, command: str, *words: str, stdin: str | None = None, by_index: bool = True) -> int:
    """`review COMMAND sample.json …`."""
    return run(office, "review", command, str(office / "sample.json"), *words, stdin=stdin, by_index=by_index)


def told(office: Path, capsys: Out, command: str, *words: str, code: int = 0) -> Json:
    """The JSON answer of `review COMMAND`."""
    capsys.readouterr()
    assert review(office, command, *words, "--json") == code
    return json.loads(capsys.readouterr().out)


def settings(office: Path) -> LogSettings:
    return own_log.load(office / "own.toml")


def sample(office: Path) -> Sample:
    return sample_in(office / "sample.json")
