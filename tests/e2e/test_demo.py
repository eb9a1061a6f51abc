"""The demo as a newcomer runs it, on the embedded log of one machine."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.edge.clock import now_ms
from contracts.edge.transport.embedded import embedded
from contracts.edge.transport.interface import DAY_MS
from gateway.ingest.run import ingest_once
from gateway.node import opened
from gateway.roles import ingest_parts
from gateway.store.reader import Reader
from tests.e2e.demo_contract import BIN, Demo, DemoContract, serving

ENGLISH = {**os.environ, "ONCEGATE_LANG": "en"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo") / "city"
    with serving(directory, directory / "log") as running:
        yield running


class TestDemo(DemoContract):
    """The suite on the embedded log."""


def test_a_store_built_after_compaction_is_the_same(demo: Demo, tmp_path: Path) -> None:
    """Same logical rows, same bucket digests, and complete."""
    copy = tmp_path / "city"
    shutil.copytree(demo.directory, copy, ignore=shutil.ignore_patterns("*.tmp"))
    with embedded(copy / "log").admin() as admin:
        for topic in admin.topics():
            if topic.startswith("evidence."):
                admin.compact(topic, now_ms() + 4 * DAY_MS)
    shutil.rmtree(copy / "node" / "data")
    with opened(copy / "node" / "oncegate.toml") as node:
        ingest_once(ingest_parts(node))
        with (
            node.stores().open_current() as second,
            Reader(demo.directory / "node" / "data" / "stores" / "1.sqlite", node.stores().keys()) as first,
        ):
            assert list(second.logical_rows()) == list(first.logical_rows())
            registry = node.registry.current()
            for signer in registry.signers.values():
                for stream in signer.adapter.streams():
                    suite = signer.key.suite
                    assert second.bucket_digests(stream, suite) == first.bucket_digests(stream, suite)
            states = dict(second.all_streams())
            assert all(states[stream].as_of == state.as_of for stream, state in first.all_streams())


def test_once_ends_with_the_same_figures(tmp_path: Path, demo: Demo) -> None:
    command = [str(BIN / "oncegate"), "demo", "--once", "--json", "--data-dir", str(tmp_path / "city")]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    printed = json.loads(done.stdout)
    timed = ("seconds", "ready_seconds", "audit")
    assert {k: v for k, v in printed.items() if k not in timed} == {
        k: v for k, v in demo.printed.items() if k not in timed
    }


def test_a_directory_of_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", "utf-8")
    command = [str(BIN / "oncegate"), "demo", "--once", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENGLISH)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Choose another directory" in done.stderr
    assert (tmp_path / "mine.txt").read_text("utf-8") == "keep"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--transport", "rabbit"], "no message log of the kind rabbit"),
        (["--bootstrap", "k:1"], "--transport kafka only (--bootstrap)"),
        (["--transport", "kafka"], "Give --bootstrap HOST:PORT"),
        (["--transport", "kafka", "--bootstrap", "k"], "bootstrap is not a list of HOST:PORT"),
        (["--transport", "kafka", "--kafka-config", "gone.toml"], "There is no such configuration file (gone.toml)"),
        (["--transport", "kafka", "--bootstrap", "k:1", "--topic-prefix", "a/b"], "Not a topic name"),
    ],
)
def test_a_mistake_about_the_log_is_told_before_anything_is_made(tmp_path: Path, options: list[str], told: str) -> None:
    command = [str(BIN / "oncegate"), "demo", "--once", "--data-dir", str(tmp_path / "city"), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENGLISH, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert told in line
    assert not (tmp_path / "city" / "keys").exists()
