"""`oncegate contracts`: a new type passes as it stands; every mistake is told at its line, with what to write."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.edge.output import execute
from gateway.cli import app

DOG = "cn.dog-licence"


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert execute(app, ["contracts", "new", DOG, "--dir", str(tmp_path)]) == 0
    capsys.readouterr()
    return tmp_path


def file(home: Path, suffix: str) -> Path:
    return home / "evidence-types" / (DOG + suffix)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_new_type_passes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["contracts", "check", str(home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"types": 1, "items": 0, "mistakes": []}
    assert execute(app, ["contracts", "list", "--dir", str(home), "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["evidence_types"]
    assert (listed["id"], listed["phase"]) == (DOG, "in_force")


def test_nothing_is_overwritten(home: Path) -> None:
    before = file(home, ".toml").read_bytes()
    for arguments in ([DOG], ["Dog"], ["cn.cat-licence", "--holder", "cn.cat"]):
        assert execute(app, ["contracts", "new", *arguments, "--dir", str(home)]) == 2
    assert file(home, ".toml").read_bytes() == before
    assert len(list((home / "evidence-types").iterdir())) == 3


def toml(old: str, new: str) -> Callable[[Path], None]:
    return lambda home: change(file(home, ".toml"), old, new)


def schema(old: str, new: str) -> Callable[[Path], None]:
    return lambda home: change(file(home, ".schema.json"), old, new)


def examples(old: str, new: str) -> Callable[[Path], None]:
    return lambda home: change(file(home, ".examples.json"), old, new)


def whole_examples(text: str) -> Callable[[Path], None]:
    def write(home: Path) -> None:
        file(home, ".examples.json").write_text(text, "utf-8")

    return write


def item(text: str) -> Callable[[Path], None]:
    def write(home: Path) -> None:
        (home / "service-items").mkdir()
        (home / "service-items" / "cn.keep-dog.toml").write_text(text, "utf-8")

    return write


ITEM = """id = "cn.keep-dog"
names = { zh-CN = "养犬登记", en = "Keep a dog" }
legal_basis = { zh-CN = "条例", en = "Regulations" }
region = "430100"
[[proofs]]
id = "licence"
evidence_type = "cn.dog-licence"
fields = ["certificate_number", "colour"]
legal_basis = { zh-CN = "条例", en = "Regulations" }
replaces_paper = { zh-CN = "犬证", en = "Licence" }
"""
# (the mistake, file and line where it is told, a word of what is said)
MISTAKES: list[tuple[Callable[[Path], None], str, str]] = [
    (toml('validity_rule = "open_ended"', 'validity_rule = "open"'), ".toml:10", "open_ended"),
    (toml('secrecy = "none"', 'secrecy = "work_secret"'), ".toml:9", "work secret"),
    (toml("freshness_hours = 24", "freshnes_hours = 24"), ".toml:11", "did you mean freshness_hours?"),
    (toml('category.sensitivity = "public"', 'category.sensitivity = "open"'), ".toml:21", "sensitive"),
    (toml('en = "Special"', 'en = ""'), ".toml:23", "en"),
    (toml("names = {", "names = "), ".toml:5", "TOML"),
    (schema('"maxLength": 8', '"maxLenght": 8'), ".schema.json:5", "maxLength"),
    (schema('"type": "string",\n      "format"', '"type": "text",\n      "format"'), ".schema.json", "text"),
    (schema('"^[0-9]{8}$"', '"^(?=x)[0-9]{8}$"'), ".schema.json:7", "look-around"),
    (schema('"additionalProperties": false', '"additionalProperties": true'), ".schema.json", "false"),
    (schema("{", "["), ".schema.json:", "JSON"),
    (schema('"maxLength": 8', '"maxLength": 8,,'), ".schema.json:8", "JSON"),
    (schema('"maxLength": 8', '"maxLength": 8, "maxLength": 8'), ".schema.json:8", "twice"),
    (whole_examples('{"valid": [5], "invalid": [5, 6]}'), ".examples.json", "valid 1"),
    (whole_examples('{"valid": 5}'), ".examples.json", "right form: valid"),
    (whole_examples('{"valid": [{}], "invalid": [{}, 6]}'), ".examples.json", "invalid 2"),
    (whole_examples('{"valid": [{}], "invalid": [{"set": 5}, {}]}'), ".examples.json", "invalid 1 set"),
    (whole_examples('{"valid": [{}], "invalid": [{"remove": [[]]}, {}]}'), ".examples.json", "invalid 1 remove"),
    (lambda home: file(home, ".schema.json").unlink(), ".schema.json", "missing"),
    (lambda home: file(home, ".examples.json").unlink(), ".examples.json", "missing"),
    (examples('"status": "valid"', '"status": "fine"'), ".examples.json", "Valid example 1"),
    (examples('"category": "other"', '"category": "special"'), ".examples.json", "an unknown category"),
    (item(ITEM), "cn.keep-dog.toml", "colour"),
    (item(ITEM.replace('region = "430100"', 'region = "43"')), "cn.keep-dog.toml:4", "right form"),
]


@pytest.mark.parametrize(("spoil", "where", "word"), MISTAKES)
def test_a_mistake_is_told_at_its_line(
    home: Path, spoil: Callable[[Path], None], where: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(home)
    assert execute(app, ["contracts", "check", str(home), "--json"]) == 2
    mistakes = json.loads(capsys.readouterr().out)["mistakes"]
    assert any(where in one["where"] and word in f"{one['what']} {one['remedy']}" for one in mistakes), mistakes
    assert all(one["what"]["zh-CN"] and one["remedy"]["zh-CN"] for one in mistakes)


def test_all_mistakes_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["contracts", "new", "cn.cat-licence", "--dir", str(home)]) == 0
    for name in (DOG, "cn.cat-licence"):
        change(home / "evidence-types" / f"{name}.toml", "version = 1", "version = 0")
    capsys.readouterr()
    assert execute(app, ["contracts", "check", str(home), "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["mistakes"]) == 2


def test_a_difference_and_its_verdict(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "new"
    assert execute(app, ["contracts", "new", DOG, "--dir", str(other)]) == 0
    capsys.readouterr()
    arguments = ["contracts", "diff", str(file(home, ".toml")), str(file(other, ".toml"))]
    assert execute(app, arguments) == 0
    change(file(other, ".schema.json"), '"special"', '"special", "rare"')
    change(file(other, ".toml"), "[fields]", "[fields]\ncategory.codes.rare = { zh-CN = '稀', en = 'Rare' }")
    capsys.readouterr()
    assert execute(app, [*arguments, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(one["direction"], one["pointer"]) for one in told["breaks"]] == [("forward", "/category")]
    assert told["compatible"] is False
    change(file(other, ".toml"), "version = 1", "version = 2")
    assert execute(app, arguments) == 0


def test_a_schema_that_our_rules_refuse_is_not_told_twice(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(file(home, ".schema.json"), '"maxLength": 8', '"maxLength": -8')
    assert execute(app, ["contracts", "check", str(home), "--json"]) == 2
    (one,) = json.loads(capsys.readouterr().out)["mistakes"]
    assert ".schema.json:8" in one["where"]


def test_a_directory_without_types_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--json"]):
        assert execute(app, ["contracts", "list", "--dir", str(tmp_path / "nowhere"), *arguments]) == 2
        assert "nowhere" in capsys.readouterr().err


def test_two_types_are_not_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["contracts", "new", "cn.cat-licence", "--dir", str(home)]) == 0
    cat = home / "evidence-types" / "cn.cat-licence.toml"
    capsys.readouterr()
    assert execute(app, ["contracts", "diff", str(file(home, ".toml")), str(cat)]) == 2
    assert "cn.cat-licence" in capsys.readouterr().err


def test_a_change_is_judged_by_the_mode_before_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = home / "new"
    assert execute(app, ["contracts", "new", DOG, "--dir", str(other)]) == 0
    change(file(other, ".schema.json"), '"maxLength": 8', '"maxLength": 7')
    change(file(other, ".toml"), "freshness_hours = 24", 'freshness_hours = 24\ncompatibility = "NONE"')
    capsys.readouterr()
    assert execute(app, ["contracts", "diff", str(file(home, ".toml")), str(file(other, ".toml")), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["mode"] == "FULL_TRANSITIVE"
