"""What witnesses hold beside what the mirror is shown: withheld heads, split views, and witnesses that say nothing."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.fetch import Endpoint
from audit.mirror.config import load
from audit.mirror.withheld import WITHHELD_S
from audit.reader import LogReader
from audit.witness.cosigning import WitnessAddress
from audit.witness.protocol import Request
from contracts.errors import UserError
from tests.integration.audit_support import SIGNER, fill, open_log
from tests.integration.mirror_world import SLOT, Gateway, Watched, gateway
from tests.integration.test_mirror import running
from tests.integration.witness_world import COSIGNER, Running, witness
from tests.waiting import until

WITHHELD = [("head_withheld", SLOT)]


@dataclass
class Scene:
    """What the mirror is shown, what the witness is, and the mirror between both."""

    shown: Gateway
    witness: Running
    watched: Watched
    root: Path

    def cosign(self, directory: Path, old: int = 0) -> None:
        """The witness gets the head of the log at `directory`."""
        reader = LogReader(directory, SIGNER.public)
        proof = tuple(reader.consistency_proof(old, reader.checkpoint().size))
        assert self.witness.post(Request(old, proof, reader.note()))[0] == 200

    def codes(self) -> list[str]:
        return [code for code, _ in self.watched.look()]

    def proofs(self) -> list[str]:
        return sorted(
            path.name.rsplit("-", 1)[0] for path in (self.root / "mirror/evidence" / SLOT).glob("*.checkpoint")
        )


def another(directory: Path, count: int) -> None:
    """A closed log, or a longer one, of another history under the same key."""
    log = open_log(directory)
    for number in range(log.size, log.size + count):
        log.append_blocking(b"another %d" % number, b"{}")
    log.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    fill(tmp_path / "log", 5)
    with gateway(tmp_path / "log") as shown, witness(tmp_path / "w", [SIGNER.public]) as running:
        address = WitnessAddress(Endpoint(running.url), COSIGNER.public)
        yield Scene(shown, running, Watched(tmp_path, [shown.url], witnesses=[address]), tmp_path)


def test_what_a_gateway_withholds(scene: Scene, tmp_path: Path) -> None:
    """Apps and witness see 905 entries, the mirror the first 5."""
    assert scene.watched.look() == [], "the witness holds nothing yet"
    scene.cosign(tmp_path / "log")
    assert scene.watched.look() == []
    shutil.copytree(tmp_path / "log", tmp_path / "real")
    fill(tmp_path / "real", 900)
    scene.cosign(tmp_path / "real", 5)
    assert scene.watched.look() == WITHHELD
    assert scene.watched.fresh() is scene.watched.mirror
    assert scene.watched.look() == WITHHELD, "after a restart, too"
    scene.shown.directory = tmp_path / "real"
    assert scene.watched.look() == []


@pytest.mark.parametrize(("size", "code"), [(5, "log_forked"), (3, "log_inconsistent")])
def test_another_history_is_no_shorter_one(scene: Scene, tmp_path: Path, size: int, code: str) -> None:
    another(tmp_path / "other", size)
    scene.cosign(tmp_path / "other")
    assert scene.codes() == [code]
    assert scene.proofs() == [f"{code}-{size}"]


def test_a_longer_history_is_judged_when_the_copy_is_as_long(scene: Scene, tmp_path: Path) -> None:
    """The witness is always ahead of what the mirror is shown: its first head is remembered."""
    another(tmp_path / "other", 8)
    scene.cosign(tmp_path / "other")
    assert scene.watched.look() == WITHHELD
    fill(tmp_path / "log", 4)
    another(tmp_path / "other", 4)
    scene.cosign(tmp_path / "other", 8)
    assert scene.codes() == ["log_inconsistent", "head_withheld"]
    assert scene.proofs() == ["log_inconsistent-8"]


def test_a_witness_that_says_nothing(scene: Scene, tmp_path: Path) -> None:
    with witness(tmp_path / "w2", [SIGNER.public]) as gone:
        url = gone.url
    scene.watched.witnesses = [WitnessAddress(Endpoint(url), COSIGNER.public)]
    scene.watched.fresh()
    assert scene.watched.look() == [("witness_silent", url)]


def test_while_it_runs(scene: Scene, tmp_path: Path) -> None:
    assert scene.watched.look() == []
    shutil.copytree(tmp_path / "log", tmp_path / "real")
    fill(tmp_path / "real", 4)
    scene.cosign(tmp_path / "real")

    def told() -> list[str]:
        document = json.loads((tmp_path / "mirror/status.json").read_bytes())
        return [one["code"] for one in document["alarms"]]

    scene.watched.fresh()
    with running(scene.watched) as failures:
        [asked] = scene.watched.mirror.witnesses
        until(lambda: [head.size for head in asked.awaited.values()] == [9])
        scene.watched.time.now += WITHHELD_S + 1
        until(lambda: told() == ["head_withheld"])
        scene.shown.directory = tmp_path / "real"
        until(lambda: told() == [] and not asked.awaited)
    assert failures == []


def test_a_witness_in_the_configuration(tmp_path: Path) -> None:
    text = (
        '[mirror]\ndirectory = "mirror"\ngateways = ["https://gw.example"]\ncertificate = "a.pem"\n'
        'private_key = "b.pem"\n[[mirror.witnesses]]\nurl = "https://witness.example:8500/"\nvkey = "{vkey}"\n'
        '[registry]\ndirectory = "registry"\nroot_key = "root.pem"\n'
    )
    path = tmp_path / "mirror.toml"
    path.write_text(text.format(vkey=COSIGNER.public.vkey))
    [one] = load(path).witnesses
    assert (one.endpoint, one.key) == (Endpoint("https://witness.example:8500/"), COSIGNER.public)
    path.write_text(text.format(vkey=SIGNER.public.vkey))
    with pytest.raises(UserError, match="Not the verifier key of a witness"):
        load(path)
