"""Evidence packages of real logs: what is in them, checked by the verifier and by hand with openssl."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cli import app
from audit.notes import NoteSigner
from audit.package import manifest
from contracts.edge.output import execute
from tests.integration.go_programs import build as build_go
from tests.integration.package_world import (
    PEOPLE,
    WITNESS,
    Members,
    build,
    checked,
    content,
    log_keys,
    manifest_of,
    package,
    shell,
)
from tests.integration.search_world import A, B, Out

_TOLD = re.compile(r"^  ([a-z]\S*)\uff08\d+ 字节\uff09\S*\n    SHA-256 (\w{64})\n    SM3     (\w{64})$", re.MULTILINE)
ROOT = Path(__file__).parents[2]
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


# --- what is in it -----------------------------------------------------------------------------------------------


def test_a_package_is_whole(town: Path, signed: Path, capsys: Out) -> None:
    vkeys = [word for key in (*log_keys(town), WITNESS.public.vkey) for word in ("--vkey", key)]
    people = [one.vkey or "" for one in manifest_of(content(signed)).extractors]
    given = [*vkeys, *(word for key in people for word in ("--vkey", key))]
    assert execute(app, ["verify", str(signed), *given]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Whole: evidence package, 4 records")
    assert "log gov.example/a: 2 records, searched up to 600 of 600 entries, cosigned by 1 witnesses" in said.out
    assert said.err == ""


def test_keys_of_the_package_itself_are_said_loudly(signed: Path, capsys: Out) -> None:
    assert execute(app, ["verify", str(signed)]) == 0
    assert "NOTE: these keys were taken from the package itself" in capsys.readouterr().err
    assert execute(app, ["verify", str(signed), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["records"]) == (True, 4)
    assert found["unpinned"] == [A, B, WITNESS.public.name, *PEOPLE]
    assert found["openings"] == {"granted": 4, "erased": 0, "restricted": 0}


def test_the_keys_that_one_has_are_enough(town: Path, signed: Path, capsys: Out) -> None:
    """Of one log, the witness, one extractor: what nobody vouches for from elsewhere is named, also beside JSON."""
    extractor = manifest_of(content(signed)).extractors[0].vkey or ""
    cases = [
        (log_keys(town)[0], [True, False], [B, WITNESS.public.name, *PEOPLE]),
        (WITNESS.public.vkey, [False, False], [A, B, *PEOPLE]),
        (extractor, [False, False], [A, B, WITNESS.public.name, PEOPLE[1]]),
    ]
    for key, pinned, unpinned in cases:
        assert execute(app, ["verify", str(signed), "--vkey", key, "--json"]) == 0
        said = capsys.readouterr()
        found = json.loads(said.out)
        assert [log["pinned"] for log in found["logs"]] == pinned
        assert found["unpinned"] == unpinned
        logs = ", ".join(log["origin"] for log in found["logs"] if not log["pinned"])
        assert f"for their records only the package itself vouches: {logs}\n" in said.err


def test_keys_of_nobody_in_the_package_refuse_it(signed: Path, capsys: Out) -> None:
    """A package of other logs, under names that nobody was asked about, is not what the caller has keys for."""
    other = NoteSigner.of("gov.example/c", Ed25519PrivateKey.from_private_bytes(b"\7" * 32)).public.vkey
    assert execute(app, ["verify", str(signed), "--vkey", other]) == 1
    assert "none of the keys given with --vkey has signed anything in it" in capsys.readouterr().out


def test_no_network_and_no_index_are_needed(signed: Path, tmp_path: Path) -> None:
    hook = "import sys; sys.addaudithook(lambda name, _: name.startswith('socket.') and sys.exit(9))"
    script = f"{hook}; from audit.cli import main; main()"
    alone = tmp_path / "alone.zip"
    alone.write_bytes(signed.read_bytes())
    run = [sys.executable, "-c", script, "verify", str(alone)]
    done = subprocess.run(
        run, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout[:5]) == (0, b"Whole")


def test_another_log_key_than_the_pinned_one_is_refused(signed: Path, capsys: Out) -> None:
    other = NoteSigner.of(A, Ed25519PrivateKey.from_private_bytes(b"\7" * 32)).public.vkey
    assert execute(app, ["verify", str(signed), "--vkey", other]) == 1
    assert "FAILED: keys/log-1.vkey" in capsys.readouterr().out


def test_the_manifest_says_what_was_asked(signed: Path) -> None:
    made = manifest_of(content(signed))
    assert [(log.origin, log.key_from, log.indexed, log.records) for log in made.logs] == [
        (A, manifest.GIVEN, 600, 2),
        (B, manifest.GIVEN, 22, 2),
    ]
    assert made.filters["decision"] == ["granted"]
    assert re.fullmatch(r"[0-9a-f]{32}", made.filters["case"])  # a token, never the case's number
    assert [one.name for one in made.extractors] == list(PEOPLE)
    assert made.recorded is None


def test_a_question_that_finds_nothing_is_evidence_too(town: Path) -> None:
    found = checked(package(town, "nothing.zip", "organisation=nobody").read_bytes())
    assert found.difference is None
    assert found.manifest is not None
    assert found.manifest.records == 0
    assert {origin: head.size for origin, head in found.heads.items()} == {A: 600, B: 22}


def test_the_same_question_at_the_same_time_gives_the_same_bytes(
    town: Path, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = manifest_of(content(signed))
    monkeypatch.setattr("audit.package.export_command.time.time_ns", lambda: made.time * 1_000_000)
    again = content(package(town, "again.zip", *FEW))
    assert {name: data for name, data in again.items() if "txt" not in name} == {
        name: data for name, data in content(signed).items() if "txt" not in name and name != manifest.NAME
    } | {name: again[name] for name in (manifest.NAME, manifest.SIGNATURES)}


# --- by hand -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(signed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("unpacked")
    assert shell(f"unzip -q '{signed}'", directory).returncode == 0
    return directory


def test_the_commands_of_the_statement_as_they_stand(unpacked: Path) -> None:
    text = (unpacked / manifest.STATEMENT).read_text("utf-8-sig")
    outputs = list(_outputs(text, unpacked))
    assert (
        len(outputs) == 10
    )  # 提取说明's digest, leaf, root, commit, two heads, a cosignature, manifest, two extractors
    for said, wanted in outputs:
        assert said.rstrip("\n").endswith(wanted)
    assert sum("Signature Verified Successfully" in said for said, _ in outputs) == 5


def test_the_statement_says_first_which_openssl_it_needs(unpacked: Path) -> None:
    """Only 3.0 has `pkeyutl -rawin`: with an older one every signature would seem bad."""
    before, _, signatures = (unpacked / manifest.STATEMENT).read_text("utf-8-sig").partition(" pkeyutl ")
    assert "OpenSSL 3.0" in before
    assert "\n    openssl version\n" in before
    assert "-rawin" in signatures


def test_every_digest_of_the_statement_is_what_openssl_says(unpacked: Path) -> None:
    text = (unpacked / manifest.STATEMENT).read_text("utf-8-sig")
    told = _TOLD.findall(text)
    commands = [
        line.strip() for line in text.split("\n") if line.startswith("    openssl dgst -sha256 ") and ";" in line
    ]
    assert len(told) == len(commands) == len(content_files(unpacked))
    for (name, sha256, sm3), command in zip(told, commands, strict=True):
        said = shell(command, unpacked).stdout
        assert said.split() == [f"SHA2-256({name})=", sha256, f"SM3({name})=", sm3]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_record_leads_to_its_head_by_hand(unpacked: Path, number: int) -> None:
    text = (unpacked / manifest.STATEMENT).read_text("utf-8-sig")
    by_hand = text.partition("    N=1\n")[2].partition("  4. ")[0]
    commands = f"N={number}\n" + "\n".join(_commands(by_hand))
    log = "a" if number < 3 else "b"
    root = (unpacked / f"checkpoints/log-{1 if log == 'a' else 2}.txt").read_text().split("\n")[2]
    assert shell(commands, unpacked).stdout.split("\n")[-2] == root


def test_a_record_and_its_proof_are_read_by_other_software(town: Path, unpacked: Path, tmp_path: Path) -> None:
    go = build_go(tmp_path)
    text = (unpacked / manifest.STATEMENT).read_text("utf-8-sig")
    assert shell("N=2\n" + "\n".join(_commands(text.partition("    N=1\n")[2].partition("  4. ")[0])), unpacked)
    said = go.tlogcheck("receipt", log_keys(town)[0], unpacked / "leaf.tmp", unpacked / "proof.tmp")
    assert (said.code, said.error) == (0, "")


def _commands(text: str) -> list[str]:
    return [line[4:] for line in text.split("\n") if line.startswith("    ") and not line.startswith("    # ")]


def _outputs(text: str, directory: Path) -> Iterator[tuple[str, str]]:
    """What the commands before each `应为` say, and what they should say. All run in one shell."""
    lines = text.partition("\n四、")[2].partition("\n五、")[0].split("\n")
    marked = [
        f"echo @@{line[4:]}" if line.startswith("    # 应为 ") else line[4:] for line in lines if line[:4] == "    "
    ]
    quoted = [re.sub(r"^echo @@(.*)$", r"echo '@@\1'", line) for line in marked]
    done = shell("\n".join(quoted), directory)
    assert (done.returncode, done.stderr) == (0, "")
    before = ""
    for line in done.stdout.splitlines(keepends=True):
        if line.startswith("@@# 应为 "):
            yield before, line.removeprefix("@@# 应为 ").strip()
            before = ""
        else:
            before += line


def content_files(directory: Path) -> list[str]:
    """The files below, but 提取说明, manifest and signatures."""
    found = (path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.suffix != ".tmp")
    outside = (manifest.STATEMENT, manifest.NAME, manifest.SIGNATURES, "checkpoints", "keys")
    return [name for name in found if name not in outside]
