"""The manifest: one spelling, every member of its kind."""

from dataclasses import replace

import pytest

from audit.package.digests import digest_of
from audit.package.manifest import FileFacts, KeyFacts, LogFacts, Manifest, parse, signed_text
from contracts.encoding import canonical, parse_object
from contracts.errors import Fault

MADE = Manifest(
    tool="oncegate-audit 1",
    time=1_763_741_600_000,
    extractors=[KeyFacts("张三", "v", "keys/extractor-1"), KeyFacts("李四", "w", "keys/extractor-2")],
    filters={"unit": ["x"]},
    recorded=("office.example/own", 3),
    logs=[LogFacts("a", "v", "given", "keys/log-1", "checkpoints/log-1.txt", 9, 1)],
    witnesses=[KeyFacts("w", "v", "keys/witness-1")],
    records=1,
    openings={"granted": 1, "erased": 0, "restricted": 0},
    files=[FileFacts("records.csv", digest_of(b"x"))],
)


@pytest.mark.parametrize(
    "made",
    [
        MADE,
        replace(MADE, recorded=None, openings=None, witnesses=[], logs=[], files=[], filters={}),
        replace(MADE, extractors=[KeyFacts("a"), KeyFacts("b")]),
    ],
)
def test_there_and_back(made: Manifest) -> None:
    assert parse(made.encode()) == made


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"format": "other"}, "/v"),
        ({"v": 1}, "/v"),
        ({"v": True}, "/v"),
        ({"more": 1}, ""),
        ({"records": -1}, "/records"),
        ({"records": "1"}, "/records"),
        ({"time": None}, "/time"),
        ({"recorded": {"origin": "x"}}, "/recorded"),
        ({"recorded": {"origin": 1, "position": 1}}, "/recorded/origin"),
        ({"openings": {"granted": 1}}, "/openings"),
        ({"openings": {"granted": 1, "erased": 0, "restricted": None}}, "/openings/restricted"),
        ({"extractors": []}, "/extractors"),
        ({"extractors": [{"name": "a", "vkey": None, "key": None}]}, "/extractors"),
        ({"extractors": [{"name": "a", "vkey": "v", "key": None}] * 2}, "/extractors/0"),
        ({"witnesses": [1]}, "/witnesses/0"),
        ({"logs": [{}]}, "/logs/0"),
        ({"files": [{"name": "x", "size": 1, "sha-256": "AB" * 32, "sm3": "ab" * 32}]}, "/files/0"),
        ({"files": [{"name": "x", "size": 1, "sha-256": "ab" * 32, "sm3": "ab"}]}, "/files/0"),
    ],
)
def test_members_of_another_kind(change: dict[str, object], where: str) -> None:
    with pytest.raises(Fault) as found:
        parse(canonical({**parse_object(MADE.encode()), **change}))
    assert (found.value.code, found.value.pointer) == ("manifest_malformed", where)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", MADE.encode() + b"\n", MADE.encode().replace(b":", b": ", 1)])
def test_other_spellings(data: bytes) -> None:
    with pytest.raises(Fault, match="manifest_malformed"):
        parse(data)


def test_one_extractor_who_signs_is_none() -> None:
    with pytest.raises(Fault, match="manifest_malformed"):
        parse(replace(MADE, extractors=[MADE.extractors[0], KeyFacts("b")]).encode())


def test_what_is_signed_has_both_digests() -> None:
    assert signed_text(b"abc").decode().splitlines() == [
        "oncegate-evidence-package/v2",
        "manifest.json sha-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "manifest.json sm3 66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",  # GB/T 32905, example 1
    ]
