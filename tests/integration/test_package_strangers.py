"""Evidence packages by one person in the name of two, or of somebody whose key the reader has."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cli import app
from audit.notes import NoteSigner, parse_vkey
from audit.package import differences as wrong
from audit.package import manifest
from audit.package.manifest import KeyFacts, extractor_key, key_files, signed_text
from contracts.edge.output import execute
from tests.integration.package_world import (
    PEOPLE,
    WITNESS,
    Members,
    build,
    checked,
    content,
    log_keys,
    manifest_of,
    mended,
    package,
    packed,
    place,
)
from tests.integration.search_world import Out, facts, write

FEW = ("case=SECRET-CASE-3", "decision=granted")


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def signed(town: Path) -> Members:
    return content(package(town, "signed.zip", *FEW))


def test_two_names_with_one_key_are_not_two_people(signed: Members) -> None:
    secret = Ed25519PrivateKey.generate()
    found = checked(packed(_signed_by(signed, [NoteSigner.of(name, secret) for name in PEOPLE])))
    assert place(found) == ("keys/extractor-2.vkey", 0)


@pytest.mark.parametrize("with_keys", [True, False])
def test_one_name_twice_is_not_two_people(signed: Members, with_keys: bool) -> None:
    alone = [PEOPLE[0], PEOPLE[0]]
    if with_keys:
        members = _signed_by(signed, [NoteSigner.of(name, Ed25519PrivateKey.generate()) for name in alone])
    else:
        members = _unsigned(signed, alone)
    assert place(checked(packed(members, manifest_of(signed).time))) == (manifest.NAME, 0)


@pytest.mark.parametrize("at", [0, 1])
def test_an_impostor_with_the_name_of_a_known_key_is_refused(signed: Members, at: int) -> None:
    real = [parse_vkey(one.vkey or "") for one in manifest_of(signed).extractors]
    forged = _signed_by(signed, [NoteSigner.of(name, Ed25519PrivateKey.generate()) for name in PEOPLE])
    logs = [parse_vkey(log.vkey) for log in manifest_of(signed).logs]
    found = checked(packed(forged), [*logs, real[at]])
    assert place(found) == (f"keys/extractor-{at + 1}.vkey", 0)
    assert found.difference is not None
    assert found.difference.what == wrong.NOT_PINNED


def test_signatures_taken_away_are_missed_by_who_has_the_keys(signed: Members) -> None:
    real = [parse_vkey(one.vkey or "") for one in manifest_of(signed).extractors]
    logs = [parse_vkey(log.vkey) for log in manifest_of(signed).logs]
    taken = packed(_unsigned(signed, PEOPLE))
    assert checked(taken, logs).difference is None
    found = checked(taken, [*logs, real[1]])
    assert place(found) == (manifest.SIGNATURES, 0)


def test_a_witness_of_the_readers_counts_although_the_package_names_none(signed: Members) -> None:
    members = _without_witness(signed)
    logs = [parse_vkey(log.vkey) for log in manifest_of(signed).logs]
    found = checked(packed(members), [*logs, WITNESS.public])
    assert found.difference is None
    assert list(found.cosigned.values()) == [1, 0]


def test_a_bad_cosignature_of_the_readers_witness_refuses_although_the_package_names_none(signed: Members) -> None:
    name = "checkpoints/log-1.txt"
    *lines, last = signed[name].splitlines(keepends=True)
    spoilt = b"".join((*lines, last[:-6] + (b"B" if last[-6:-5] == b"A" else b"A") + last[-5:]))
    proofs = signed[manifest.PROOFS].replace(signed[name], spoilt)
    members = _without_witness({**signed, name: spoilt, manifest.PROOFS: proofs})
    assert checked(packed(members)).difference is None
    logs = [parse_vkey(log.vkey) for log in manifest_of(signed).logs]
    assert place(checked(packed(members), [*logs, WITNESS.public])) == (name, 0)


def test_how_far_the_logs_were_searched_is_told(tmp_path: Path, capsys: Out) -> None:
    town = build(tmp_path)
    write(town / "b", "gov.example/b", [facts(number) for number in range(100, 105)])
    path = package(town, "behind.zip", *FEW)
    capsys.readouterr()
    pinned = [word for key in log_keys(town) for word in ("--vkey", key)]
    assert execute(app, ["verify", str(path), *pinned]) == 0
    assert "searched up to 22 of 27 entries" in capsys.readouterr().out
    assert execute(app, ["verify", str(path), *pinned, "--json"]) == 0
    assert [log["indexed"] for log in json.loads(capsys.readouterr().out)["logs"]] == [600, 22]


def test_a_record_from_beyond_what_was_searched_is_refused(signed: Members) -> None:
    made = manifest_of(signed)
    fewer = [replace(made.logs[0], indexed=made.logs[0].records), *made.logs[1:]]
    members = _unsigned(signed, PEOPLE)
    forged = mended(members, partial(replace, logs=fewer))
    assert place(checked(packed(forged))) == (manifest.RECORDS, 1)


def _signed_by(members: Members, signers: list[NoteSigner]) -> Members:
    """As if these had extracted and signed."""
    keys: Members = {}
    for number, one in enumerate(signers, 1):
        keys |= key_files(one.public, extractor_key(number))
    people = [KeyFacts(one.public.name, one.public.vkey, extractor_key(at)) for at, one in enumerate(signers, 1)]
    made = mended({**members, **keys}, partial(replace, extractors=people))
    text = signed_text(made[manifest.NAME])
    first, *others = (one.sign(text) for one in signers)
    lines = [note.rpartition(b"\n\n")[2] for note in others]
    return {**made, manifest.SIGNATURES: b"".join((first, *lines))}


def _unsigned(members: Members, names: tuple[str, ...] | list[str]) -> Members:
    kept = {name: data for name, data in members.items() if "extractor" not in name and name != manifest.SIGNATURES}
    return mended(kept, partial(replace, extractors=[KeyFacts(name) for name in names]))


def _without_witness(members: Members) -> Members:
    kept = {name: data for name, data in members.items() if "witness" not in name}
    return mended(_unsigned(kept, PEOPLE), partial(replace, witnesses=[]))
