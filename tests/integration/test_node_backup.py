"""A node's backup without a node: absolute paths, made-up facts, logs that were swapped, the registry version seen."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from audit import backup as audit_backup
from audit.log import Limits
from contracts.corrections import Correction
from contracts.edge import archive
from contracts.edge.archive import Item, Manifest
from contracts.errors import Corrupt, UserError
from contracts.streams import Position
from gateway import backup
from gateway.corrections.judge import Open
from gateway.corrections.spool import Spool
from gateway.supervision.places import Place, Places
from gateway.supervision.seen import Seen
from gateway.supervision.settings import Webhook
from tests.integration.audit_support import fill

CONFIG = """
[node]
id = "node-1"
zone = "zone"
key = "keys/node.pem"
data = "{data}"
[registry]
root_key = "keys/root.pub.pem"
[log]
kind = "embedded"
directory = "log"
[keys]
zone = ["keys/zone.pem"]
store = "keys/store.key"
"""
SMALL = Limits(publish_seconds=0.0)


def node(root: Path, data: str) -> Path:
    """A node below `root` that has a log of 20 entries; its configuration."""
    for name in ("node.pem", "root.pub.pem", "zone.pem", "store.key"):
        path = root / "etc/keys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"k")
    fill(root / "var/data/audit/slot", 20)
    seen(root, 5)
    (root / "etc/oncegate.toml").write_text(CONFIG.format(data=data), "utf-8")
    return root / "etc/oncegate.toml"


def seen(root: Path, version: int) -> None:
    (root / "var/data/registry-seen.json").write_text(json.dumps({"version": version, "digest": "x"}), "utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node that names its data by an absolute path, as a package's installation does."""
    node(tmp_path / "node", f"{tmp_path}/node/var/data")
    return tmp_path / "node"


def back_up(root: Path) -> Path:
    return backup.make(root / "etc/oncegate.toml", root.parent / "made.backup", None)[0].path


def forge(file: Path, facts: Mapping[str, str], more: Mapping[str, Path] | None = None) -> Path:
    """The same backup with other facts and files: what anybody can make who has the recipient's public key."""
    with archive.staging(file.parent / "forging") as staged:
        manifest = archive.unpack(file, backup.KIND, None, staged)
        files = {one.name: staged / one.name for one in manifest.files} | dict(more or {})
        forged = replace(manifest, facts={key: value for key, value in facts.items() if value})
        archive.write(file, forged, [Item(name, path) for name, path in files.items()], None)
    return file


def facts_of(file: Path) -> Mapping[str, str]:
    with archive.staging(file.parent / "looking") as staged:
        manifest: Manifest = archive.unpack(file, backup.KIND, None, staged)
        return manifest.facts


def test_absolute_paths_are_backed_up_wiped_and_restored(root: Path) -> None:
    file = back_up(root)
    shutil.rmtree(root)
    done = backup.restore(file, None, root, replace=False)
    assert done.audit == {"slot": 20}
    assert audit_backup.check(root / "var/data/audit/slot", None).size == 20


def test_open_corrections_and_how_far_supervision_is_are_in_the_backup(root: Path) -> None:
    asked = Correction("0a", "node-1", "o", "a", "cn.x", "rec", "sha-256:0", (), "other", "cn.item", 1, 2)
    one = Open(asked, Position(7, 2), 3, recorded=True)
    spool = Spool(root / "var/data/corrections/slot")
    spool.keep(one)
    (root / "var/data/corrections/slot/.0b.json.1.tmp").write_bytes(b"of a write that a crash ended")
    places = Places(root / "var/data/supervision/slot", "log.example/a")
    place = Place("webhook:a.example#0", 4, 5, Webhook("https://a.example/", root / "etc/keys/node.pem"))
    places.save(place)
    places.save_seen(Seen(19))
    file = back_up(root)
    shutil.rmtree(root)
    backup.restore(file, None, root, replace=False)
    assert list(spool.all()) == [one]
    assert places.load() == {place.name: place}
    assert places.seen() == Seen(19)
    files = [path for name in backup.STATE for path in (root / "var/data" / name).rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert len(files) == 3


def test_an_older_log_does_not_replace_a_newer_one_at_an_absolute_path(root: Path) -> None:
    file = back_up(root)
    fill(root / "var/data/audit/slot", 5)
    with pytest.raises(Corrupt, match="old copy"):
        backup.restore(file, None, root, replace=True)
    assert audit_backup.check(root / "var/data/audit/slot", None).size == 25


def test_a_spoiled_log_at_an_absolute_path_is_not_restored(root: Path) -> None:
    file = back_up(root)
    (bundle,) = (root / "var/data/audit/slot/tile/entries").rglob("*.p/*")
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"?")
    spoiled = {bundle.relative_to(root).as_posix(): bundle}
    forge(file, facts_of(file), spoiled)
    shutil.rmtree(root / "var")
    with pytest.raises(Corrupt):
        backup.restore(file, None, root, replace=True)
    assert not (root / "var").exists()


def test_absolute_paths_that_lead_elsewhere_are_refused(root: Path) -> None:
    file = back_up(root)
    with pytest.raises(UserError, match="another place"):
        backup.restore(file, None, root.parent / "new", replace=False)
    assert list((root.parent / "new").iterdir()) == []


def test_relative_paths_may_lead_elsewhere(tmp_path: Path) -> None:
    node(tmp_path / "node", "../var/data")
    done = backup.restore(back_up(tmp_path / "node"), None, tmp_path / "new", replace=False)
    assert done.audit == {"slot": 20}
    assert (tmp_path / "new/var/data/audit/slot/checkpoint").exists()


@pytest.mark.parametrize(
    "change",
    [{"config": "../outside.toml"}, {"config": ""}, {"data": "../../data"}, {"data": ""}, {"slots": ""}, {"node": ""}],
)
def test_made_up_facts_are_refused(root: Path, change: Mapping[str, str]) -> None:
    file = back_up(root)
    forge(file, {**facts_of(file), **change})
    with pytest.raises(UserError, match="not whole"):
        backup.restore(file, None, root, replace=True)


@pytest.mark.parametrize("name", ["other/checkpoint", "other/frames/0", "loose"])
def test_no_log_comes_in_unverified(root: Path, name: str) -> None:
    file = back_up(root)
    forge(file, facts_of(file), {f"var/data/audit/{name}": root / "etc/oncegate.toml"})
    with pytest.raises(Corrupt, match="no audit log"):
        backup.restore(file, None, root, replace=True)


def test_a_log_that_the_backup_was_made_with_is_missed(root: Path) -> None:
    file = back_up(root)
    forge(file, {**facts_of(file), "slots": "slot\ngone"})
    with pytest.raises(Corrupt, match="gone"):
        backup.restore(file, None, root, replace=True)


@pytest.mark.parametrize(("there", "left"), [(7, 7), (5, 5), (3, 5)])
def test_the_registry_version_seen_never_goes_back(root: Path, there: int, left: int) -> None:
    file = back_up(root)
    seen(root, there)
    backup.restore(file, None, root, replace=True)
    assert json.loads((root / "var/data/registry-seen.json").read_text("utf-8"))["version"] == left


def test_what_was_there_is_aside_with_its_log_as_a_whole(root: Path) -> None:
    file = back_up(root)
    (root / "var/data/audit/slot/own").write_bytes(b"precious")
    done = backup.restore(file, None, root, replace=True)
    assert done.aside is not None
    assert (done.aside / "var/data/audit/slot/own").read_bytes() == b"precious"
    assert not (root / "var/data/audit/slot/own").exists()
