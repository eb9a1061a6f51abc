"""Evidence packages that somebody spoilt: in passing, with digests put right, with signatures of others."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cli import app
from audit.notes import NoteSigner, parse_vkey
from audit.package import differences as wrong
from audit.package import manifest
from audit.package.manifest import KeyFacts, Manifest, signed_text
from contracts.edge.output import execute
from contracts.encoding import Json, canonical
from contracts.text import Text
from tests.integration.package_world import (
    COSIGNED_AT,
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
from tests.integration.search_world import A, B, Out

FEW = ("case=SECRET-CASE-3", "decision=granted")  # two of log a, and two of log b


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def signed(town: Path) -> Path:
    return package(town, "signed.zip", *FEW)


@pytest.fixture(scope="module")
def unsigned(town: Path) -> Members:
    return content(package(town, "unsigned.zip", *FEW, signed=False))


def test_a_byte_flipped_anywhere_in_the_file_is_found(signed: Path) -> None:
    data = signed.read_bytes()
    random.seed(6)
    for at in sorted({*range(64), *range(len(data) - 64, len(data)), *random.sample(range(len(data)), 200)}):
        spoilt = bytearray(data)
        spoilt[at] ^= 0x21
        assert checked(bytes(spoilt)).difference is not None, at


def test_a_byte_flipped_in_each_file_is_found_there(unsigned: Members) -> None:
    assert len(unsigned) == 14
    for name, data in unsigned.items():
        for at in {0, len(data) // 2, len(data) - 1}:
            spoilt = {**unsigned, name: _flipped(data, at)}
            time = manifest_of(unsigned).time
            found = place(checked(packed(spoilt, time)))[0]
            assert name in (found, manifest.NAME)  # where a digest in it is wrong, that file is named


def test_with_digests_put_right_it_is_still_found(unsigned: Members) -> None:
    for name, data in unsigned.items():
        if name not in (manifest.NAME, manifest.STATEMENT):  # a text for people: only signatures or paper bind it
            for at in {0, len(data) // 2, len(data) - 1}:
                found = checked(packed(mended({**unsigned, name: _flipped(data, at)})))
                assert found.difference is not None, (name, at)


def test_with_signatures_nothing_can_be_put_right(signed: Path) -> None:
    members = content(signed)
    for name, data in members.items():
        if name not in (manifest.NAME, manifest.SIGNATURES):
            found = checked(packed(mended({**members, name: _flipped(data, len(data) // 2)})))
            assert found.difference is not None, name


def test_every_member_of_the_manifest_is_bound(signed: Path) -> None:
    members = content(signed)
    whole = json.loads(members[manifest.NAME])
    changed = list(_changes(whole))
    assert len(changed) > 100
    for path, other in changed:
        found = checked(packed({**members, manifest.NAME: canonical(other)}, whole["time"]))
        assert found.difference is not None, path


def _changes(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """The value with each of its members changed, left out, or (lists) doubled, one at a time."""
    names = list(value) if type(value) is dict else range(len(value)) if type(value) is list else ()
    for name in names:
        rest = {key: one for key, one in value.items() if key != name} if type(value) is dict else None
        yield (*path, name, "gone"), rest if rest is not None else [*value[:name], *value[name + 1 :]]
        for where, other in _changes(value[name], (*path, name)):
            copy = dict(value) if type(value) is dict else list(value)
            copy[name] = other
            yield where, copy
    if type(value) is int:
        yield path, value + 2_000 if path[-1] == "time" else value + 1
    elif type(value) is str:
        yield path, value[:-1] + ("0" if value[-1:] != "0" else "1")
    elif value is None:
        yield path, 1
    elif type(value) is list and value:
        yield (*path, "doubled"), [*value, value[-1]]


def _edited(members: Members, name: str, edit: Callable[[list[bytes]], list[bytes]]) -> Members:
    """One file with its records (lines, or proofs) edited, digests put right."""
    mark = b"c2sp.org/tlog-proof@v1\n"
    parts = [mark + one for one in members[name].split(mark)[1:]] if name == manifest.PROOFS else None
    lines = parts or members[name].splitlines(keepends=True)
    return mended({**members, name: b"".join(edit(lines))})


def _moved(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


def _doubled(lines: list[bytes]) -> list[bytes]:
    return [lines[0], *lines]


def _last_lost(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def _one_more(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[-1]]


def _openings_exchanged(lines: list[bytes]) -> list[bytes]:
    return [lines[1].replace(b'"number":2', b'"number":1'), lines[0].replace(b'"number":1', b'"number":2'), *lines[2:]]


def _opening_respelt(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'{\\"case\\":', b'{ \\"case\\":'), *lines[1:]]


def _hidden(lines: list[bytes]) -> list[bytes]:
    return [b'{"number":1,"state":"restricted"}\n', *lines[1:]]


def _row_changed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"granted", b"refused"), *lines[2:]]


def _renamed(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b"gov.example/a", b"gov.example/b"), *lines[1:]]


@pytest.mark.parametrize(
    ("name", "edit", "where", "what"),
    [
        (manifest.RECORDS, _moved, (manifest.RECORDS, 1), wrong.ORDER),
        (manifest.RECORDS, _doubled, (manifest.RECORDS, 2), wrong.ORDER),
        (manifest.RECORDS, _last_lost, (manifest.RECORDS, 4), wrong.ENDS),
        (manifest.RECORDS, _one_more, (manifest.RECORDS, 5), wrong.SURPLUS),
        (manifest.RECORDS, _renamed, (manifest.PROOFS, 1), wrong.LINE),
        (manifest.PROOFS, _moved, (manifest.PROOFS, 1), wrong.ORDER),
        (manifest.PROOFS, _doubled, (manifest.PROOFS, 2), wrong.ORDER),
        (manifest.PROOFS, _last_lost, (manifest.PROOFS, 4), wrong.ENDS),
        (manifest.PROOFS, _one_more, (manifest.PROOFS, 5), wrong.SURPLUS),
        (manifest.OPENINGS, _moved, (manifest.OPENINGS, 1), wrong.ORDER),
        (manifest.OPENINGS, _openings_exchanged, (manifest.OPENINGS, 1), wrong.COMMIT),
        (manifest.OPENINGS, _opening_respelt, (manifest.OPENINGS, 1), wrong.COMMIT),
        (manifest.OPENINGS, _last_lost, (manifest.OPENINGS, 4), wrong.ENDS),
        (manifest.OPENINGS, _one_more, (manifest.OPENINGS, 5), wrong.SURPLUS),
        (manifest.OPENINGS, _hidden, (manifest.TABLE, 1), wrong.ROW),
        (manifest.TABLE, _moved, (manifest.TABLE, 0), wrong.ROW),
        (manifest.TABLE, _row_changed, (manifest.TABLE, 1), wrong.ROW),
        (manifest.TABLE, _last_lost, (manifest.TABLE, 4), wrong.ENDS),
        (manifest.TABLE, _one_more, (manifest.TABLE, 5), wrong.SURPLUS),
    ],
)
def test_what_a_careful_forger_does(
    unsigned: Members, name: str, edit: Callable[[list[bytes]], list[bytes]], where: tuple[str, int], what: Text
) -> None:
    found = checked(packed(_edited(unsigned, name, edit)))
    assert place(found) == where
    assert found.difference is not None
    assert found.difference.what is what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda made: replace(made, records=3), wrong.SURPLUS),
        (lambda made: replace(made, filters={**made.filters, "decision": ["refused"]}), wrong.OUTSIDE),
        (lambda made: replace(made, filters={**made.filters, "colour": ["red"]}), wrong.MANIFEST),
        (lambda made: replace(made, filters={"organisation": "housing"}), wrong.MANIFEST),
        (lambda made: replace(made, openings={"granted": 3, "erased": 1, "restricted": 0}), wrong.COUNT),
        (lambda made: replace(made, logs=[replace(made.logs[0], records=1), made.logs[1]]), wrong.COUNT),
        (lambda made: replace(made, logs=[replace(made.logs[0], indexed=601), made.logs[1]]), wrong.COUNT),
        (lambda made: replace(made, logs=made.logs[::-1]), wrong.FILES),
        (lambda made: replace(made, witnesses=[]), wrong.FILES),
        (lambda made: replace(made, openings=None), wrong.FILES),
    ],
)
def test_a_manifest_that_says_something_else(
    unsigned: Members, change: Callable[[Manifest], Manifest], what: Text
) -> None:
    found = checked(packed(mended(unsigned, change)))
    assert found.difference is not None
    assert found.difference.what is what


def test_missing_and_surplus_files(unsigned: Members) -> None:
    time = manifest_of(unsigned).time
    for name in unsigned:
        left = {key: data for key, data in unsigned.items() if key != name}
        assert place(checked(packed(left, time)))[0] == name
    for name in ("more.txt", "../evil", "/etc/passwd", "keys/log-3.vkey", manifest.SIGNATURES):
        found = checked(packed({**unsigned, name: b"x"}, time))
        assert (place(found)[0], found.difference and found.difference.what) == (name, wrong.STRAY)
    listed = checked(packed(mended({**unsigned, "more.txt": b"x"})))
    assert place(listed)[0] == manifest.NAME


def test_cut_short_and_no_package_at_all(signed: Path, tmp_path: Path, capsys: Out) -> None:
    data = signed.read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.zip").write_bytes(data[:length])
        assert execute(app, ["verify", str(tmp_path / "cut.zip")]) == 1
        assert "FAILED: cut.zip" in capsys.readouterr().out
    assert checked(data + b"x").difference is not None
    assert checked(b"x" + data).difference is not None


def test_signatures_of_others(town: Path, signed: Path) -> None:
    members = content(signed)
    stranger = NoteSigner.of(PEOPLE[0], Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    lines = members[manifest.SIGNATURES].splitlines(keepends=True)
    text = signed_text(members[manifest.NAME])
    forged = stranger.sign(text).splitlines(keepends=True)[-1]
    for other in ([*lines[:4], forged, lines[5]], lines[:5], [*lines[:4], lines[5], lines[4]], [*lines, forged]):
        found = checked(packed({**members, manifest.SIGNATURES: b"".join(other)}))
        assert place(found) == (manifest.SIGNATURES, 0)
    unsigned = replace(manifest_of(members), extractors=[KeyFacts(name) for name in PEOPLE])
    assert checked(packed({**members, manifest.NAME: unsigned.encode()})).difference is not None


def test_a_bad_cosignature_of_a_known_witness_refuses(unsigned: Members) -> None:
    name = "checkpoints/log-1.txt"
    note = unsigned[name]
    text = note.partition(b"\n\n")[0] + b"\n"
    line = WITNESS.line(text, COSIGNED_AT)
    other = WITNESS.line(text.replace(b"600", b"601"), COSIGNED_AT)
    assert line in note
    found = checked(packed(mended({**unsigned, name: note.replace(line, other)})))
    assert place(found) == (name, 0)


def test_a_package_under_another_log_key_is_known_by_pinning(town: Path, unsigned: Members) -> None:
    pinned = [parse_vkey(key) for key in log_keys(town)]
    assert checked(packed(unsigned), pinned).difference is None
    found = checked(packed(unsigned), pinned[1:])
    assert (found.difference, A in found.unpinned, B in found.unpinned) == (None, True, False)
    other = NoteSigner.of(A, Ed25519PrivateKey.from_private_bytes(b"\7" * 32)).public
    assert place(checked(packed(unsigned), [other, pinned[1]])) == ("keys/log-1.vkey", 0)


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_strangers_names_cannot_move_the_cursor(unsigned: Members, tmp_path: Path, capsys: Out) -> None:
    people = [KeyFacts("\x1b[2JWang"), KeyFacts("Li\r")]
    asked = {"to": (1 << 53) - 1, "log": "\x1b[0m"}
    for filters, code in (({**manifest_of(unsigned).filters, "to": asked["to"]}, 0), (asked, 1)):
        members = mended(unsigned, partial(replace, extractors=people, filters=filters))
        (tmp_path / "x.zip").write_bytes(packed(members))
        assert execute(app, ["verify", str(tmp_path / "x.zip")]) == code
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        assert "\r" not in said.out + said.err
