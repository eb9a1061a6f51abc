"""Samples from checkpoints that a witness cosigned, and what is left of a draw in the auditors' own log."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cli import app
from audit.cosignatures import Cosigner
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.witness.protocol import Request
from contracts.edge.output import execute
from contracts.encoding import Json
from tests.integration.review_world import build_office, review, told
from tests.integration.search_world import A, B, Out
from tests.integration.witness_world import COSIGNER, witness

W = COSIGNER.public
OTHER = Cosigner.of("witness.example/w2", Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)).public
COSIGNED = [
    {"log": A, "witness": W.vkey, "time": "2027-01-15T08:00:00.000Z"},
    {"log": B, "witness": W.vkey, "time": "2027-01-15T08:00:00.000Z"},
]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office whose two logs have a checkpoint each that a witness cosigned: `a.cosigned`, `b.cosigned`."""
    path = build_office(tmp_path_factory.mktemp("office"))
    logs = [parse_vkey((path / name / "vkey").read_text().strip()) for name in "ab"]
    with witness(path / "w", logs) as one:
        for name in "ab":
            note = (path / name / "checkpoint").read_bytes()
            status, _, line = one.post(Request(0, (), note))
            assert status == 200
            (path / f"{name}.cosigned").write_bytes(note + line)
    return path


def draw(office: Path, heads: Sequence[str], *words: str, nonce: str = "n") -> int:
    given = [word for head in heads for word in ("--checkpoint", str(office / head))]
    order = ["--nonce", nonce, "--size", "4", "--reviewers", "王,李"]
    return execute(app, ["sample", "draw", str(office / "index"), *words, *given, *order])


def drawn(office: Path, capsys: Out, heads: Sequence[str], *words: str) -> Json:
    capsys.readouterr()
    assert draw(office, heads, *words) == 0
    return json.loads(capsys.readouterr().out)


def check(office: Path, tmp_path: Path, sample: Json, *words: str) -> int:
    (tmp_path / "sample.json").write_text(json.dumps(sample))
    return execute(app, ["sample", "verify", str(tmp_path / "sample.json"), str(office / "index"), *words])


def test_a_witnessed_sample_says_by_whom_and_when(office: Path, tmp_path: Path, capsys: Out) -> None:
    assert draw(office, ("a.cosigned", "b.cosigned"), "--witness", OTHER.vkey, "--witness", W.vkey) == 0
    said = capsys.readouterr()
    sample = json.loads(said.out)
    assert (sample["witnessed"], sample["cosigned"], sample["left_out"]) == (True, COSIGNED, [])
    assert f"{A}: cosigned by witness.example/w1 at 2027-01-15T08:00:00.000Z" in said.err
    assert check(office, tmp_path, sample, "--witness", W.vkey) == 0
    assert "Note" not in capsys.readouterr().err
    assert check(office, tmp_path, sample) == 0
    assert "the witnesses' keys are those that the sample itself names" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("heads", "key", "what"),
    [
        (("a/checkpoint",), W.vkey, f"({A})"),
        (("a.cosigned", "b/checkpoint"), W.vkey, f"({B})"),
        (("a.cosigned",), OTHER.vkey, f"({A})"),
        (("spoilt",), W.vkey, f"({A})"),
        (("a.cosigned",), "w+1+x", "Not the key of a witness"),
        (("a.cosigned",), "log", "Not the key of a witness"),
    ],
)
def test_a_checkpoint_that_no_named_witness_cosigned_is_refused(
    office: Path, capsys: Out, heads: tuple[str, ...], key: str, what: str
) -> None:
    note = (office / "a.cosigned").read_bytes()
    (office / "spoilt").write_bytes(note[:-12] + (b"A" if note[-12:-11] != b"A" else b"B") + note[-11:])
    vkey = (office / "a" / "vkey").read_text().strip() if key == "log" else key
    assert draw(office, heads, "--witness", vkey) == 2
    said = capsys.readouterr()
    assert what in said.err
    assert not said.out


def test_without_witnesses_it_says_so_everywhere(office: Path, tmp_path: Path, capsys: Out) -> None:
    assert draw(office, ("a.cosigned", "b.cosigned")) == 0
    said = capsys.readouterr()
    assert "NOT WITNESSED" in said.err
    sample = json.loads(said.out)
    assert (sample["witnessed"], sample["cosigned"]) == (False, [])
    assert check(office, tmp_path, sample) == 0
    assert "NOT WITNESSED" in capsys.readouterr().err


def test_what_a_sample_claims_of_witnesses_is_checked(office: Path, tmp_path: Path, capsys: Out) -> None:
    bare = drawn(office, capsys, ("a/checkpoint",))
    assert check(office, tmp_path, {**bare, "witnessed": True}) == 1
    assert "these differ: witnessed" in capsys.readouterr().err
    assert check(office, tmp_path, bare, "--witness", W.vkey) == 1
    assert f"none of your witnesses cosigned the checkpoint of {A}" in capsys.readouterr().err
    assert check(office, tmp_path, {**bare, "witnessed": True, "cosigned": COSIGNED[:1]}) == 2
    early = {**COSIGNED[0], "time": "2026-01-15T08:00:00.000Z"}
    sample = drawn(office, capsys, ("a.cosigned",), "--witness", W.vkey)
    assert check(office, tmp_path, {**sample, "cosigned": [early]}) == 1
    assert "these differ: cosigned" in capsys.readouterr().err
    assert check(office, tmp_path, sample, "--witness", OTHER.vkey) == 1


def test_a_log_without_a_checkpoint_is_named(office: Path, tmp_path: Path, capsys: Out) -> None:
    assert draw(office, ("a/checkpoint",)) == 0
    said = capsys.readouterr()
    assert f"Note: not in the population, because there is no checkpoint of them: {B}" in said.err
    sample = json.loads(said.out)
    assert sample["left_out"] == [B]
    assert check(office, tmp_path, {**sample, "left_out": []}) == 0  # another index may have fewer logs
    assert B in capsys.readouterr().err
    assert drawn(office, capsys, ("a/checkpoint",), f"log={A}")["left_out"] == []


def test_each_draw_leaves_a_trail(office: Path, tmp_path: Path, capsys: Out) -> None:
    reader = LogReader(office / "own", parse_vkey((office / "own/vkey").read_text().strip()))
    before = reader.checkpoint().size
    samples = []
    for nonce in ("n", "m"):
        capsys.readouterr()
        assert draw(office, ("a/checkpoint",), "decision=granted", nonce=nonce) == 0
        samples.append(json.loads(capsys.readouterr().out))
    assert check(office, tmp_path, samples[1]) == 0
    size = reader.checkpoint().size
    leaves = [json.loads(leaf) for leaf in reader.entries(0, size)[before:]]
    assert [leaf["command"] for leaf in leaves] == ["sample", "sample", "sample verify"]
    assert [leaf["filters"]["seed"] for leaf in leaves] == [sample["seed"] for sample in (*samples, samples[1])]
    first = leaves[0]["filters"]
    assert first["nonce"] == "sha-256:" + sha256(b"n").hexdigest()
    assert (first["population"], first["size"], first["witnessed"]) == (54, 4, False)
    assert (first["decision"], first["sample"][:8]) == (["granted"], "sha-256:")
    assert leaves[1]["filters"]["sample"] == leaves[2]["filters"]["sample"] != first["sample"]


def test_a_review_shows_whether_its_sample_is_witnessed(office: Path, capsys: Out) -> None:
    heads = ("a.cosigned", "b.cosigned")
    bare, sample = drawn(office, capsys, heads), drawn(office, capsys, heads, "--witness", W.vkey)
    (office / "sample.json").write_text(json.dumps(bare))
    assert review(office, "start") == 0
    assert "NOT WITNESSED" in capsys.readouterr().err
    assert review(office, "report", "--into", str(office / "bare.txt")) == 1
    assert "The checkpoints of the sample are not witnessed" in capsys.readouterr().out
    assert "见证:无。抽样所依据的检查点未经见证" in (office / "bare.txt").read_text()
    (office / "sample.json").write_text(json.dumps(sample))
    assert review(office, "start") == 0
    assert "cosigned by witness.example/w1" in capsys.readouterr().err
    found = told(office, capsys, "report", "--into", str(office / "report.txt"), code=1)
    assert (found["witnessed"], found["cosigned"]) == (True, COSIGNED)
    assert f"见证:{A},{W.vkey},2027-01-15T08:00:00.000Z" in (office / "report.txt").read_text()


def test_a_review_of_a_false_witness_is_none(office: Path, capsys: Out) -> None:
    sample = drawn(office, capsys, ("a/checkpoint",))
    (office / "sample.json").write_text(json.dumps({**sample, "witnessed": True, "cosigned": COSIGNED[:1]}))
    assert review(office, "start", by_index=False) == 2
    assert "Not a sample" in capsys.readouterr().err


def test_a_review_of_nothing_is_not_begun(office: Path, capsys: Out) -> None:
    sample = drawn(office, capsys, ("a/checkpoint",))
    (office / "sample.json").write_text(json.dumps({**sample, "picks": [], "strata": {}, "population": 0}))
    assert review(office, "start", by_index=False) == 2
    assert "There is no record in this sample" in capsys.readouterr().err
